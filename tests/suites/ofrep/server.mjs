// The SDK for servers: one call per evaluation.
import { readFileSync } from 'node:fs';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const { site, cases, units } = JSON.parse(readFileSync(0, 'utf8'));
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: site.url, headers: [['X-API-Key', site.server]] }));
const client = OpenFeature.getClient();
const kinds = { boolean: 'Boolean', string: 'String', integer: 'Number', float: 'Number', object: 'Object' };

const details = [];
for (const one of cases) {
  const got = await client[`get${kinds[one.kind]}Details`](one.key, one.default, one.context);
  details.push([got.value, got.variant ?? null, got.reason, got.errorCode ?? null]);
}
const half = [];
for (const unit of units) {
  if (await client.getBooleanValue('half', false, { targetingKey: unit })) half.push(unit);
}
console.log(JSON.stringify({ details, half }));
await OpenFeature.close();
