/** A schedule in words, for whoever has to find out why it fails. */
import { formatAddress, formatPrefix } from '../src/inet/index.ts';
import { networksOf, type Schedule } from './schedule.ts';

export function describeSchedule(schedule: Schedule): string[] {
  const { seed, trust, attacker, hosts, machines, disturbances, kinds, attacks } = schedule;
  return [
    `seed ${seed}: ${trust}, ${attacker}; ${attacks.length} attacks: ${[...kinds].join(', ')}`,
    ...hosts.map(({ name, links, address, nat, mayRelay, offers, imports }) => {
      const where = `on ${networksOf({ links, address }).join(', ')}${nat === undefined ? '' : ' behind a NAT'}`;
      const what = `${mayRelay ? 'relays, ' : ''}offers ${offers.map(formatPrefix).join() || 'nothing'}, imports ${imports}`;
      return `  ${name} ${where}; ${what}`;
    }),
    ...machines.map(({ name, links, address }) => {
      return `  ${name} on ${links.join(', ')} ${address === undefined ? '' : formatAddress(address)}`;
    }),
    ...disturbances.map((disturbance) => {
      const { from, until, kind } = disturbance;
      const whom = 'host' in disturbance ? disturbance.host : disturbance.share;
      return `  ${from}–${until} ms: ${kind} ${whom}${'link' in disturbance ? ` from ${disturbance.link}` : ''}`;
    }),
  ];
}
