/** What a node keeps of others across restarts: the file, and when it is read and written. */
export * from './format.ts';
export * from './remembering.ts';
