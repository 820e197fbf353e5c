// Asks with flagd's provider for pages; says as JSON what it says.
import { readFileSync } from 'node:fs';
import { OpenFeature } from '@openfeature/web-sdk';
import { FlagdWebProvider } from '@openfeature/flagd-web-provider';

const { host, port, cases, units } = JSON.parse(readFileSync(0, 'utf8'));
await OpenFeature.setProviderAndWait(new FlagdWebProvider({ host, port, tls: false, maxRetries: 1 }));
const client = OpenFeature.getClient();
const kinds = { boolean: 'Boolean', string: 'String', integer: 'Number', float: 'Number', object: 'Object' };

const details = [];
for (const one of cases) {
  await OpenFeature.setContext(one.context);
  const got = client[`get${kinds[one.kind]}Details`](one.key, one.default);
  details.push([got.value, got.variant ?? null, got.reason, got.errorCode ?? null]);
}
const half = [];
for (const unit of units) {
  await OpenFeature.setContext({ targetingKey: unit });
  if (client.getBooleanValue('half', false)) half.push(unit);
}
console.log(JSON.stringify({ ready: true, details, half }));
process.exit(0);
