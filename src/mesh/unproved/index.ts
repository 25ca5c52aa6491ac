/** What may be sent where nobody has answered yet. */
export { Account } from './account.ts';
export { UnprovedAddresses } from './addresses.ts';
export { FailedEndpoints } from './failed-endpoints.ts';
export { Targets, type HostAddress } from './targets.ts';
