/** Why a network stays silent, in the order to read: what is told, and how it is found out. */
export * from './notice.ts';
export * from './silence.ts';
