/**
 * Many peers of one hub, as a program in a namespace of their own: `node peer-farm.js COUNT NAME HUB-KEY HUB-ENDPOINT
 * HUB-ADDRESS`. Each is a device with a thread and a TUN interface; what is sent from its address goes through it.
 * Prints keys and addresses as JSON when all are up, and runs until it is ended.
 */
import { nodePrimitives } from '../src/crypto/node.ts';
import { chooseAead } from '../src/crypto/aead.ts';
import { RunningDevice } from '../src/device/index.ts';
import { parseEndpoint, parsePrefix } from '../src/inet/index.ts';
import { runIpBatch } from '../src/linux/index.ts';
import type { FarmPeer } from './measures/peers.ts';

const MTU = 1420;
const FIRST_TABLE = 1000;

const [count, name, hubKey, hubEndpoint, hubAddress] = process.argv.slice(2);
const { randomBytes, publicKey } = nodePrimitives(chooseAead().aead);
const hub = {
  publicKey: new Uint8Array(Buffer.from(hubKey, 'base64')),
  endpoint: parseEndpoint(hubEndpoint)!,
  allowedIps: [{ prefix: parsePrefix(hubAddress)! }],
};

async function startPeer(index: number): Promise<FarmPeer> {
  const privateKey = randomBytes(32);
  const address = `10.78.${index >> 8}.${index & 255}`;
  const { interfaceName } = await RunningDevice.start({ name: `${name}p${index}`, mtu: MTU }).then(async (device) => {
    await device.configure({ privateKey, listenPort: 0, peers: [hub] });
    return device;
  });
  const table = FIRST_TABLE + index;
  await runIpBatch([
    `link set ${interfaceName} mtu ${MTU} up`,
    `address add ${address}/32 dev ${interfaceName}`,
    `route add ${hubAddress} dev ${interfaceName} table ${table}`,
    `rule add from ${address} lookup ${table}`,
  ]);
  return { publicKey: Buffer.from(publicKey(privateKey)).toString('base64'), address };
}

const peers: FarmPeer[] = [];
for (let index = 1; index <= Number(count); index++) peers.push(await startPeer(index));
process.stdout.write(`${JSON.stringify(peers)}\n`);
