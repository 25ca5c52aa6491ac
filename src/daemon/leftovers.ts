import { listLinks, type SystemCallError } from '../linux/index.ts';
import { removeFirewall } from './firewall.ts';
import { removeLeftRoutes } from './import-routes.ts';

/**
 * Takes away what a daemon of the interface `link` left that was killed, or ended by a failure: its firewall and its rules.
 * Where the interface is there, somebody runs it, and nothing is touched.
 * @returns whether there was anything. @throws SystemCallError, IpCommandError
 */
export async function removeLeftovers(link: string): Promise<boolean> {
  if (listLinks().some(({ name }) => name === link)) return false;
  if (!removeLeftFirewall(link)) return false;
  await removeLeftRoutes();
  return true;
}

/** Without the right to look there is nothing that we could take away. */
function removeLeftFirewall(link: string): boolean {
  try {
    return removeFirewall(link);
  } catch (error) {
    if ((error as SystemCallError).code !== 'SYSTEM_CALL') throw error;
    return false;
  }
}
