/** What a sans-I/O machine is: time as a value, outputs that are drained, timers in a table. No specification. */
export * from './machine.ts';
export * from './time.ts';
export * from './timer-table.ts';
