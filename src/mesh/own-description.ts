/** What this node says of itself: the newest description and when it must be signed anew. */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { endpointsEqual, type Endpoint } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import {
  DESCRIPTION_LIFE,
  MAX_ENDPOINTS,
  MAX_LIFE,
  signDescription,
  type Description,
  type OfferedNetwork,
} from './description.ts';
import { isWorthDescribing } from './endpoints.ts';
import type { Identity } from './identity.ts';

export interface Self {
  readonly identity: Identity;
  readonly meshName: string;
  readonly hostName: string;
  readonly wireGuardPublicKey: Uint8Array;
  readonly wireGuardKeyProof: Uint8Array;
  readonly capabilities: readonly string[];
  readonly networks: readonly OfferedNetwork[];
}

export class OwnDescription {
  readonly #self: Self;
  readonly #primitives: IdentityPrimitives;
  #endpoints: readonly Endpoint[] = [];
  #sequence: number;
  #current: Description;

  /** `storedSequence`: the last one that was used; 0 if it is not known. */
  constructor(self: Self, primitives: IdentityPrimitives, storedSequence: number, unixNow: Millis) {
    this.#self = self;
    this.#primitives = primitives;
    this.#sequence = storedSequence;
    this.#current = this.sign(unixNow);
  }

  get identity(): Identity {
    return this.#self.identity;
  }

  get current(): Description {
    return this.#current;
  }

  /** Signs anew, with a higher sequence number: by Unix time, so that it rises even where the stored one was lost. */
  sign(unixNow: Millis): Description {
    const issuedAt = millis(Math.floor(unixNow));
    this.#sequence = Math.max(this.#sequence + 1, issuedAt);
    this.#current = signDescription(
      {
        meshName: this.#self.meshName,
        hostName: this.#self.hostName,
        wireGuardPublicKey: this.#self.wireGuardPublicKey,
        wireGuardKeyProof: this.#self.wireGuardKeyProof,
        sequence: this.#sequence,
        issuedAt,
        expiresAt: after(issuedAt, DESCRIPTION_LIFE),
        endpoints: this.#endpoints.map((endpoint) => ({ endpoint, kind: 'interface' })),
        networks: this.#self.networks,
        capabilities: this.#self.capabilities,
      },
      this.#self.identity,
      this.#primitives,
    );
    return this.#current;
  }

  /**
   * Somebody knows, or claims to know, a description of ours from an earlier life: the next one will come after it.
   * The claim need not be proved, because a number that nobody would believe a description with is not adopted.
   * @returns whether it was adopted
   */
  adopt(sequence: number, unixNow: Millis): boolean {
    if (sequence <= this.#sequence || sequence > after(unixNow, MAX_LIFE)) return false;
    this.#sequence = sequence;
    return true;
  }

  /** @returns whether this changes what is worth describing */
  setEndpoints(endpoints: readonly Endpoint[]): boolean {
    const before = this.#endpoints;
    this.#endpoints = endpoints.filter(isWorthDescribing).slice(0, MAX_ENDPOINTS);
    return (
      before.length !== this.#endpoints.length ||
      before.some((endpoint, i) => !endpointsEqual(endpoint, this.#endpoints[i]))
    );
  }

  /** Every third of its life, so that two refreshes may fail; and when the clock was set, since all of it depends on that. */
  mustRefresh(unixNow: Millis): boolean {
    return Math.abs(unixNow - this.#current.issuedAt) >= DESCRIPTION_LIFE / 3;
  }
}
