/**
 * The control API: HTTP and JSON on a Unix socket that only its owner may open. Here are the schemas and types both
 * ends share. Times are Unix milliseconds; units stand in the names.
 */
export * from './places.ts';
export { nodeLabel, printable, printableJson } from '../printable.ts';
export * from './settings.ts';
export * from './status.ts';
export * from './nearest-word.ts';
export * from './toml-positions.ts';
