/**
 * Messages on the UDP port that are not WireGuard's, on their way to the owner of the device: what they begin with, how many
 * of whom are passed on, and a second port to hear them on. What they mean is the owner's business.
 */
export * from './control-relay.ts';
export * from './control-listener.ts';
