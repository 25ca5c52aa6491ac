import { WiremeshError } from '../error.ts';

export class InterfaceNameError extends WiremeshError {
  readonly code = 'INTERFACE_NAME';
  constructor(name: string) {
    super(
      `${JSON.stringify(name)} cannot be the name of a network interface: use 1 to 15 letters, digits or any of _ = + . -`,
    );
  }
}

/**
 * Returns `name` if it is a name that a network interface can have. The kernel takes more characters; these are the
 * ones that `wg-quick` takes, and none of them means anything to `ip -batch` or in a path.
 * @throws InterfaceNameError
 */
export function interfaceName(name: string): string {
  if (!/^[a-zA-Z0-9_=+.-]{1,15}$/.test(name) || name === '.' || name === '..') throw new InterfaceNameError(name);
  return name;
}
