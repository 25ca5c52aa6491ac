import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parseEndpoint, type Endpoint, type IpAddress } from '../inet/index.ts';
import { isStraight, type OwnPlace } from './hello-target.ts';

const endpoint = (text: string) => parseEndpoint(text) as Endpoint;
const address = (text: string) => parseAddress(text) as IpAddress;

function place(endpoints: string[], reflexive: string[] = []): OwnPlace {
  return {
    endpoints: endpoints.map(endpoint),
    linkAddresses: new Map([[2, [address('fe80::a'), address('fe80::b')]]]),
    reflexive: reflexive.map(endpoint),
  };
}

const PUBLIC = place(['198.51.100.1:7077']);
const FROM = endpoint('203.0.113.9:7077');

describe('a signed Hello that answers ours', () => {
  it('came straight if it was sent to an endpoint of ours', () => {
    assert.equal(isStraight(FROM, endpoint('198.51.100.1:7077'), PUBLIC, false), true);
  });

  it('was passed on if it was sent to somebody else, or to another port of ours', () => {
    assert.equal(isStraight(FROM, endpoint('203.0.113.9:7077'), PUBLIC, false), false);
    assert.equal(isStraight(FROM, endpoint('198.51.100.1:7078'), PUBLIC, false), false);
    assert.equal(isStraight(FROM, undefined, PUBLIC, true), false);
  });

  it('came straight if it was sent to where authenticated nodes see us, whatever the port', () => {
    const behindNat = place(['192.168.1.2:7077'], ['203.0.113.1:4000']);
    assert.equal(isStraight(FROM, endpoint('203.0.113.1:5000'), behindNat, false), true);
    assert.equal(isStraight(FROM, endpoint('203.0.113.2:4000'), behindNat, false), false);
  });

  it('was passed on by who says himself that we are seen at his address', () => {
    const misled = place(['192.168.1.2:7077'], ['203.0.113.9:7077']);
    assert.equal(isStraight(FROM, endpoint('203.0.113.9:7077'), misled, false), false);
  });

  it('is not believed by who does not know yet where it is seen: the other side has to begin', () => {
    assert.equal(isStraight(FROM, endpoint('203.0.113.2:4000'), place(['192.168.1.2:7077']), false), false);
  });

  it('is believed wherever it was sent to if its source is named by the node or by us', () => {
    assert.equal(isStraight(FROM, endpoint('203.0.113.2:4000'), PUBLIC, true), true);
  });

  it('came straight on a link if it was sent to our address there, and in no other case', () => {
    const from = { ...endpoint('[fe80::c]:7077'), scopeId: 2 };
    assert.equal(isStraight(from, endpoint('[fe80::b]:7077'), PUBLIC, false), true);
    assert.equal(isStraight(from, endpoint('[fe80::d]:7077'), PUBLIC, true), false);
    assert.equal(isStraight({ ...from, scopeId: 3 }, endpoint('[fe80::b]:7077'), PUBLIC, true), false);
  });
});
