// The SDK for pages: all flags at once for a context, asked for again with an ETag.
import { readFileSync } from 'node:fs';
import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const { site, cases, units } = JSON.parse(readFileSync(0, 'utf8'));
const statuses = [];
const asking = globalThis.fetch;
const fetchImplementation = async (...words) => {
  const answer = await asking(...words);
  statuses.push(answer.status);
  return answer;
};
const options = { baseUrl: site.url, headers: [['X-API-Key', site.client]], pollInterval: 200, fetchImplementation };
await OpenFeature.setProviderAndWait(new OFREPWebProvider(options));
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
// Nothing changes any more, so polling is told so.
await new Promise((done) => setTimeout(done, 1000));
const checks = { 'what is there already is not sent again': statuses.at(-1) === 304 };
console.log(JSON.stringify({ details, half, checks }));
await OpenFeature.close();
