/** A provider for OpenFeature on servers: `@openfeature/server-sdk`. */

import {
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from "@openfeature/server-sdk";

import type { Gateline } from "../client.js";
import type { Options } from "../options.js";
import { clientOf, contextOf, NAME, NOT_READY, type Owned, resolutionOf } from "./shared.js";

/** Answers OpenFeature's questions with Gateline; an exposure is told of what comes from a split. */
export class GatelineProvider implements Provider {
  readonly metadata = { name: NAME };
  readonly runsOn = "server";
  readonly events = new OpenFeatureEventEmitter();
  readonly #owned: Owned;
  readonly #unlisten: () => void;
  /** Whether it was found ready or not; nothing yet while it begins. */
  #isReady: boolean | undefined;

  /** Takes a client, which stays open when the provider is closed, or the options for one of its own. */
  constructor(given: Gateline | Options) {
    this.#owned = clientOf(given);
    this.#unlisten = this.#owned.client.onChange((keys) => {
      if (this.#isReady === undefined) {
        return;
      }
      if (!this.#isReady) {
        // What did not answer in time has answered now.
        this.#isReady = true;
        this.events.emit(ProviderEvents.Ready);
      }
      this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] });
    });
  }

  async initialize(context: EvaluationContext = {}): Promise<void> {
    this.#isReady = await this.#owned.client.ready(contextOf(context));
    if (!this.#isReady) {
      throw new Error(NOT_READY);
    }
  }

  async onClose(): Promise<void> {
    this.#unlisten();
    await (this.#owned.isOwn ? this.#owned.client.close() : this.#owned.client.flush());
  }

  resolveBooleanEvaluation(
    key: string,
    otherwise: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, otherwise, context);
  }

  resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, otherwise, context);
  }

  resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, otherwise, context);
  }

  resolveObjectEvaluation<T extends JsonValue>(
    key: string,
    otherwise: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    return this.#resolve(key, otherwise, context);
  }

  async #resolve<T>(key: string, otherwise: T, context: EvaluationContext): Promise<ResolutionDetails<T>> {
    return resolutionOf(await this.#owned.client.details(key, otherwise, contextOf(context)));
  }
}
