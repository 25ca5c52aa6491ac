/**
 * Where the nodes of a picture go: as far from each other as they are by links, as well as that can be (stress
 * majorization: Gansner, Koren and North, 2004), from a circle in the order of the nodes, so that the same topology always
 * gives the same picture. Our own, since it is short and a library for some dozen nodes would be much more. Springs and
 * repulsion alone (Fruchterman and Reingold) left grids folded. Pure.
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

type Edge = readonly [a: number, b: number];

const ROUNDS = 300;

/** @returns a place for each of `count` points, whose edges are about 1 long */
export function layOut(count: number, edges: readonly Edge[]): Point[] {
  const distances = distancesBetween(count, edges);
  const radius = count / (2 * Math.PI);
  let points = Array.from({ length: count }, (_, i): Point => {
    const angle = (2 * Math.PI * i) / count - Math.PI / 2;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
  for (let round = 0; round < ROUNDS; round++) {
    points = points.map((_, i) => wishedPlace(i, points, distances[i]));
  }
  return points;
}

/** Where the others would have point `i`: each at its distance, in the direction it has; the nearer, the more it counts. */
function wishedPlace(i: number, points: readonly Point[], distances: readonly number[]): Point {
  const own = points[i];
  let [x, y, weights] = [0, 0, 0];
  for (const [j, other] of points.entries()) {
    if (j === i) continue;
    const weight = distances[j] ** -2;
    const [dx, dy] = [own.x - other.x, own.y - other.y];
    const scale = distances[j] / Math.max(Math.hypot(dx, dy), 1e-6);
    x += weight * (other.x + dx * scale);
    y += weight * (other.y + dy * scale);
    weights += weight;
  }
  return weights === 0 ? own : { x: x / weights, y: y / weights };
}

/** In links, from each to each; what is not connected is as far as can be. */
function distancesBetween(count: number, edges: readonly Edge[]): number[][] {
  const neighbours = Array.from({ length: count }, (): number[] => []);
  for (const [a, b] of edges) {
    neighbours[a].push(b);
    neighbours[b].push(a);
  }
  return neighbours.map((_, from) => {
    const reached = new Map([[from, 0]]);
    // A Map hands out what is added during the walk, in order of addition: a breadth-first search.
    for (const [node, distance] of reached) {
      for (const next of neighbours[node]) if (!reached.has(next)) reached.set(next, distance + 1);
    }
    return neighbours.map((_, to) => reached.get(to) ?? Math.sqrt(count));
  });
}
