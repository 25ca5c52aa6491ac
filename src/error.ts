/**
 * The base of every error we throw on purpose. `message` is one line for a person and, where a person can do
 * something about it, ends with what to do; `code` is stable, for scripts. It never holds a secret.
 */
export abstract class WiremeshError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}
