/** The oldest Node that wiremesh runs on ("engines" in package.json). */
export const MIN_NODE = '20.19';

/** @returns what is wrong with this Node, for the user, or `undefined` */
export function nodeProblem(version: string): string | undefined {
  const [major, minor] = version.split('.').map(Number);
  const [minMajor, minMinor] = MIN_NODE.split('.').map(Number);
  if (major > minMajor || (major === minMajor && minor >= minMinor)) return undefined;
  return `this is Node ${version}, and Node ${MIN_NODE} or newer is needed: install it, from https://nodejs.org for example`;
}

/** Ends the process where Node is too old. Everything else is loaded later: it would not run, or not even be read. */
export function refuseOldNode(program: string): void {
  const problem = nodeProblem(process.versions.node);
  if (problem === undefined) return;
  process.stderr.write(`${program}: ${problem}\n`);
  process.exit(1);
}
