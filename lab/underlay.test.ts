import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linksOf } from './topology.ts';
import { creationLines, interfaceTo, namespaceName, nodeLines, underlayAddress } from './underlay.ts';

describe('the underlay of a lab', () => {
  it('puts both ends of a link straight into their namespaces', () => {
    assert.deepEqual(creationLines('default', 2, linksOf('line', 2)), [
      'netns add wmlab-n1',
      'netns add wmlab-n2',
      'link add to-n2 netns wmlab-n1 type veth peer name to-n1 netns wmlab-n2',
    ]);
  });

  it('routes to a node without a common link through the neighbour on the way', () => {
    assert.deepEqual(
      nodeLines(1, linksOf('line', 3)).filter((line) => line.startsWith('route')),
      [
        'route add fd00:6c61:62::2/128 via fe80::2 dev to-n2 src fd00:6c61:62::1',
        'route add fd00:6c61:62::3/128 via fe80::2 dev to-n2 src fd00:6c61:62::1',
      ],
    );
  });

  it('keeps labs of different names apart', () => {
    assert.equal(namespaceName('demo', 1), 'wmlab-demo-n1');
    assert.notEqual(namespaceName('demo', 1), namespaceName('default', 1));
  });

  it('has a name for every interface that the kernel takes, and hexadecimal addresses', () => {
    assert.ok(interfaceTo(250).length <= 15);
    assert.equal(underlayAddress(250), 'fd00:6c61:62::fa');
  });
});
