// The SDK for JavaScript: evaluates by itself with a key of a server, or is told values with one of a page.
import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';
import { GrowthBook, configureCache, setPolyfills } from '@growthbook/growthbook';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { site, people, page } = JSON.parse((await lines.next()).value);
const say = (what) => console.log(JSON.stringify(what));
configureCache({ disableCache: true });
setPolyfills({ EventSource });
const start = (clientKey, attributes) =>
  new GrowthBook({
    apiHost: site.url,
    clientKey,
    attributes,
    remoteEval: page,
    ...(site.mode === 'encrypted' ? { decryptionKey: site.payload_key } : {}),
  });
const until = async (holds, seconds) => {
  const end = Date.now() + seconds * 1000;
  while (!holds() && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
  return holds();
};

const wrong = start(site.key.slice(0, -3) + 'abc', {});
const refused = await wrong.init({ timeout: 5000 });
say({ wrong_key: !refused.success && String(refused.error).includes('401'), error: String(refused.error) });
wrong.destroy();

const checks = {};
const client = start(site.key, people[0]);
const loaded = await client.init({ timeout: 5000, streaming: true });
checks['features are there'] = loaded.success;
if (site.mode === 'encrypted') {
  const sent = await (await fetch(`${site.url}/api/features/${site.key}`)).json();
  checks['nothing is sent in plain text'] =
    Object.keys(sent.features).length === 0 && typeof sent.encryptedFeatures === 'string' && !JSON.stringify(sent).includes('native-static');
}
const flags = Object.keys(client.getFeatures());
const answers = [];
for (const person of people) {
  if (page) {
    const one = start(site.key, person);
    await one.init({ timeout: 5000 });
    answers.push(Object.fromEntries(flags.map((flag) => [flag, one.evalFeature(flag).value])));
    one.destroy();
  } else {
    await client.setAttributes(person);
    answers.push(Object.fromEntries(flags.map((flag) => [flag, client.evalFeature(flag).value])));
  }
}
say({ flags, answers });
const heard = await until(() => client.isOn('changed'), 15);
say({ heard });
say({ checks });
client.destroy();
process.exit(0);
