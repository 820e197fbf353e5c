// The client for pages: it is told what is on for one context.
import { createInterface } from 'node:readline';
import { InMemoryStorageProvider, UnleashClient } from 'unleash-proxy-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { site, people } = JSON.parse((await lines.next()).value);
const say = (what) => console.log(JSON.stringify(what));
const statuses = [];
const asking = async (...words) => {
  const answer = await fetch(...words);
  statuses.push(answer.status);
  return answer;
};
const start = (clientKey, context, refreshes) =>
  new UnleashClient({
    url: `${site.url}/api/frontend`,
    clientKey,
    appName: 'vendors',
    context,
    // A refresh ends a question that is on its way.
    disableRefresh: !refreshes,
    refreshInterval: 1,
    metricsInterval: 3600,
    metricsIntervalInitial: 3600,
    storageProvider: new InMemoryStorageProvider(),
    fetch: asking,
    usePOSTrequests: site.mode === 'post',
  });
const until = async (holds, seconds) => {
  const end = Date.now() + seconds * 1000;
  while (!holds() && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
  return holds();
};
console.error = () => {};

const wrong = start(site.key.slice(0, -3) + 'abc', people[1]);
const errors = [];
wrong.on('error', (error) => errors.push(error));
await wrong.start();
wrong.stop();
say({ wrong_key: errors[0]?.type === 'HttpError' && errors[0].code === 401, errors });

const payload = (found) =>
  found ? [found.type, found.type === 'json' ? JSON.parse(found.value) : found.value] : null;
const client = start(site.key, people[0]);
await client.start();
const known = new Set();
const answers = [];
for (const person of people) {
  await client.updateContext(person);
  const one = {};
  for (const { name } of client.getAllToggles()) {
    known.add(name);
    const variant = client.getVariant(name);
    one[name] = [client.isEnabled(name), variant.enabled ? variant.name : 'disabled', payload(variant.payload)];
  }
  answers.push(one);
}
// What is off is not told of: any flag that was on for somebody is known.
const off = [false, 'disabled', null];
const flags = [...new Set([...known, 'native-off', 'switched-off', 'past', 'changed'])];
for (const one of answers) for (const flag of flags) one[flag] ??= off;
say({ flags, answers });
const hearing = start(site.key, people[0], true);
await hearing.start();
const heard = await until(() => hearing.isEnabled('changed'), 15);
say({ heard });
const before = statuses.length;
await client.sendMetrics();
const reported = statuses.slice(before);
await until(() => statuses.includes(304), 4);
hearing.stop();
const checks = { 'its report is taken': reported[0] === 202 };
if (site.mode === 'get') checks['what is there already is not sent again'] = statuses.includes(304);
say({ checks, counted: people.length * 2 });
client.stop();
process.exit(0);
