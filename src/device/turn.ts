/**
 * How much one side takes in before the other gets its turn, in bytes: two large packets. With sixteen, the slowest
 * hundredth of pings under load took three times as long, and the throughput was the same.
 */
export const TURN_BUDGET = 96 << 10;

/** What a read costs besides its bytes, in bytes that take as long: many small packets make no longer turn. */
export const READ_COST = 2 << 10;
