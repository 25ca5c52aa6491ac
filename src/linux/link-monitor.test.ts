import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress, parsePrefix } from '../inet/index.ts';
import { IpCommandError, runIpBatch } from './ip-batch.ts';
import { InterfaceNameError } from './interface-name.ts';
import {
  addAddress,
  addBridge,
  addVethPair,
  attachToBridge,
  deleteAddress,
  deleteLink,
  moveToNamespace,
} from './link.ts';
import { setDown, setMtu, setUp } from './link.ts';
import {
  AddressMonitor,
  LinkMonitor,
  listAddresses,
  listLinks,
  type AddressChange,
  type LinkChange,
} from './link-monitor.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { addRoute, deleteRoute } from './route.ts';
import { readRouteMessages } from './rtnetlink.ts';
import { watchReadable } from './syscall.ts';

const NAMESPACE = 'wmlinux-link';
const OTHER = 'wmlinux-link2';

const batch = (...lines: string[]) => runIpBatch(lines, { namespace: NAMESPACE });
const inside = <T>(open: () => T): T => inNamespace(namespacePath(NAMESPACE), open);
const linkNamed = (name: string) => inside(listLinks).find((link) => link.name === name);

describe('links and addresses', () => {
  before(() => Promise.all([createNamespace(NAMESPACE), createNamespace(OTHER)]));
  after(() => Promise.all([deleteNamespace(NAMESPACE), deleteNamespace(OTHER)]));

  it('are listed as they are in the namespace', async () => {
    const address = parseAddress('fd77::1');
    assert.ok(address);
    await batch(
      addVethPair({ link: 'a' }, { link: 'b', namespace: OTHER }),
      setMtu('a', 1400),
      setUp('a'),
      addAddress('a', address, 64),
      addAddress('a', address, 64),
    );
    const link = linkNamed('a');
    assert.ok(link);
    assert.equal(link.mtu, 1400);
    assert.deepEqual([link.up, link.running, link.isLoopback, link.supportsMulticast], [true, false, false, true]);
    assert.equal(linkNamed('lo')?.isLoopback, true);
    assert.equal(linkNamed('b'), undefined);
    const listed = inside(listAddresses).find((entry) => formatAddress(entry.address) === 'fd77::1');
    assert.deepEqual(listed, { interfaceIndex: link.index, address, prefixLength: 64, isTentative: false });
    await runIpBatch([setUp('b')], { namespace: OTHER });
    assert.equal(linkNamed('a')?.running, true);
    await batch(deleteLink('a'));
  });

  it('are told of when they come, change and go', async () => {
    const address = parseAddress('192.0.2.1');
    assert.ok(address);
    const links = inside(() => new LinkMonitor());
    const addresses = inside(() => new AddressMonitor());
    await batch(addBridge('br0'), setUp('br0'), setMtu('br0', 1300), addAddress('br0', address, 24));
    await batch(deleteAddress('br0', address, 24), setDown('br0'), deleteLink('br0'));
    const linkChanges: LinkChange[] = [];
    links.read((change) => linkChanges.push(change));
    assert.ok(linkChanges.every(({ name }) => name === 'br0'));
    assert.ok(linkChanges.some(({ up, mtu, removed }) => up && mtu === 1300 && !removed));
    assert.equal(linkChanges.at(-1)?.removed, true);
    const addressChanges: AddressChange[] = [];
    addresses.read((change) => addressChanges.push(change));
    const ours = addressChanges.filter((change) => formatAddress(change.address) === '192.0.2.1');
    assert.deepEqual(
      ours.map(({ removed, prefixLength }) => [removed, prefixLength]),
      [
        [false, 24],
        [true, 24],
      ],
    );
    links.close();
    links.close();
    addresses.close();
  });

  it('are all told anew after more changes than the socket could hold', async () => {
    const links = inside(() => new LinkMonitor());
    // Each change is a message of more than 1 KiB; the socket holds some 200 KiB.
    const storm = Array.from({ length: 1000 }, (_, i) => setMtu('br0', 1300 + (i % 100)));
    await batch(addBridge('br0'), ...storm);
    const names = new Set<string>();
    links.read(({ name }) => names.add(name));
    assert.ok(names.has('lo'), 'nothing happened to lo: it is told because the list is');
    links.close();
    await batch(deleteLink('br0'));
  });

  it('wake the event loop of Node', async () => {
    const links = inside(() => new LinkMonitor());
    const told = new Promise<string>((resolve) => {
      const watch = watchReadable(links.fd, () => {
        links.read(({ name }) => resolve(name));
        watch.close();
      });
    });
    await batch(addBridge('br1'), deleteLink('br1'));
    assert.equal(await told, 'br1');
    links.close();
  });
});

describe('a batch for ip', () => {
  before(() => createNamespace('wmlinux-ip'));
  after(() => deleteNamespace('wmlinux-ip'));

  it('changes routes, bridges and namespaces', async () => {
    const namespace = 'wmlinux-ip';
    const prefix = parsePrefix('2001:db8::/32');
    const via = parseAddress('fd00::2');
    const local = parseAddress('fd00::1');
    assert.ok(prefix !== undefined && via !== undefined && local !== undefined);
    const lines = [
      addBridge('br0'),
      addVethPair({ link: 'a' }, { link: 'b' }),
      attachToBridge('b', 'br0'),
      setUp('a'),
      setUp('b'),
      addAddress('a', local, 64),
      addRoute(prefix, 'a'),
      addRoute(prefix, 'a', via),
      deleteRoute(prefix, 'a'),
      moveToNamespace('a', namespace),
    ];
    await runIpBatch(lines, { namespace });
  });

  it('says which line failed, and why', async () => {
    await assert.rejects(
      runIpBatch([addBridge('br7'), setUp('nosuch'), addBridge('br8')], { namespace: 'wmlinux-ip' }),
      (error: Error) =>
        error instanceof IpCommandError &&
        error.line === 'link set dev nosuch up' &&
        /Cannot find device "nosuch"/.test(error.message),
    );
    await assert.rejects(runIpBatch([], { namespace: 'nosuch' }), IpCommandError);
  });

  it('never gets a name that would be another word or another line', () => {
    for (const name of ['', 'a b', 'a\nlink delete dev b', 'a#b', 'a"', 'a/b', '..', '0123456789abcdef']) {
      assert.throws(() => setUp(name), InterfaceNameError);
    }
    assert.throws(() => setMtu('a', 1.5), RangeError);
  });
});

describe('the reader of rtnetlink messages', () => {
  it('returns messages or none, whatever it is given', () => {
    fc.assert(
      fc.property(fc.constantFrom(2, 3, 16, 17, 20, 21), fc.uint8Array({ maxLength: 200 }), (type, contents) => {
        const datagram = new Uint8Array(16 + contents.length);
        const view = new DataView(datagram.buffer);
        view.setUint32(0, datagram.length, true);
        view.setUint16(4, type, true);
        datagram.set(contents, 16);
        // A family that is looked at, so that attributes are reached.
        if (contents.length > 0) datagram[16] = type < 20 ? 0 : 10;
        readRouteMessages(datagram);
        readRouteMessages(contents);
      }),
    );
  });
});
