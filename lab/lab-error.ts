import { WiremeshError } from '../src/error.ts';

/** The lab cannot do what was asked; the message says why and what to do. */
export class LabError extends WiremeshError {
  readonly code = 'LAB';
}

/** There is no such lab. */
export class NoLabError extends WiremeshError {
  readonly code = 'NOT_RUNNING';
  constructor(lab: string) {
    super(`no lab "${lab}" is up: start one with "wiremesh lab up"`);
  }
}
