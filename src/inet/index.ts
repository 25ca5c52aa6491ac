/** The values all floors share: IP addresses (RFC 4291, RFC 5952), prefixes, endpoints; and bytes. No names are resolved here. */
export * from './bytes.ts';
export * from './address.ts';
export * from './prefix.ts';
export * from './embedded.ts';
export * from './endpoint.ts';
