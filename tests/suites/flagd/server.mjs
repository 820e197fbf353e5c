// Asks with flagd's provider for servers; says as JSON what it says.
import { readFileSync } from 'node:fs';
import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { FlagdProvider } from '@openfeature/flagd-provider';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const { host, port, resolver, selector } = asked;
const options = { host, port, resolverType: resolver, selector, cache: 'disabled', deadlineMs: 2000 };
let ready = true;
try {
  await OpenFeature.setProviderAndWait(new FlagdProvider(options));
} catch {
  ready = false;
}
const client = OpenFeature.getClient();
const kinds = { boolean: 'Boolean', string: 'String', integer: 'Number', float: 'Number', object: 'Object' };

if (asked.wait_for) {
  const heard = new Promise((done) => client.addHandler(ProviderEvents.ConfigurationChanged, done));
  console.log(JSON.stringify({ before: await client.getBooleanValue(asked.wait_for, true) }));
  await Promise.race([heard, new Promise((done) => setTimeout(done, 20_000))]);
  console.log(JSON.stringify({ after: await client.getBooleanValue(asked.wait_for, false) }));
} else {
  const details = [];
  for (const one of asked.cases) {
    const got = await client[`get${kinds[one.kind]}Details`](one.key, one.default, one.context);
    details.push([got.value, got.variant ?? null, got.reason, got.errorCode ?? null]);
  }
  const half = [];
  for (const unit of ready ? asked.units : []) {
    if (await client.getBooleanValue('half', false, { targetingKey: unit })) half.push(unit);
  }
  console.log(JSON.stringify({ ready, details, half }));
}
await OpenFeature.close();
process.exit(0);
