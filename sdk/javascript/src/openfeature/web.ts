/** A provider for OpenFeature in pages: `@openfeature/web-sdk`. */

import {
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from "@openfeature/web-sdk";

import type { Gateline } from "../client.js";
import type { Options } from "../options.js";
import { clientOf, contextOf, NAME, NOT_READY, type Owned, resolutionOf } from "./shared.js";

/** Answers OpenFeature's questions at once, by what the server said of the context; exposures of splits are told. */
export class GatelineProvider implements Provider {
  readonly metadata = { name: NAME };
  readonly runsOn = "client";
  readonly events = new OpenFeatureEventEmitter();
  readonly #owned: Owned;
  readonly #unlisten: () => void;
  /** Whether it was found ready or not; nothing yet while it begins. */
  #isReady: boolean | undefined;

  /** Takes a client, which stays open when the provider is closed, or the options for one of its own. */
  constructor(given: Gateline | Options) {
    this.#owned = clientOf(given, { evaluation: "remote" });
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
    this.#isReady = await this.#reconcile(context);
    if (!this.#isReady) {
      throw new Error(NOT_READY);
    }
  }

  async onContextChange(_: EvaluationContext, context: EvaluationContext): Promise<void> {
    if (!(await this.#reconcile(context))) {
      throw new Error(NOT_READY);
    }
  }

  async onClose(): Promise<void> {
    this.#unlisten();
    await (this.#owned.isOwn ? this.#owned.client.close() : this.#owned.client.flush());
  }

  resolveBooleanEvaluation(key: string, otherwise: boolean, context: EvaluationContext): ResolutionDetails<boolean> {
    return this.#resolve(key, otherwise, context);
  }

  resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext): ResolutionDetails<string> {
    return this.#resolve(key, otherwise, context);
  }

  resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext): ResolutionDetails<number> {
    return this.#resolve(key, otherwise, context);
  }

  resolveObjectEvaluation<T extends JsonValue>(key: string, otherwise: T, context: EvaluationContext): ResolutionDetails<T> {
    return this.#resolve(key, otherwise, context);
  }

  async #reconcile(context: EvaluationContext): Promise<boolean> {
    const read = contextOf(context);
    await this.#owned.client.identify(read);
    return this.#owned.client.ready(read);
  }

  #resolve<T>(key: string, otherwise: T, context: EvaluationContext): ResolutionDetails<T> {
    const read = contextOf(context);
    const details = this.#owned.client.peek(key, otherwise, read);
    if (details.error === undefined) {
      this.#owned.client.expose(key, read);
    }
    return resolutionOf(details);
  }
}
