/** Where the fields of a UDP header lie, in bytes (RFC 768). */
export const UDP = { ports: 0, length: 4, checksum: 6, end: 8 } as const;
