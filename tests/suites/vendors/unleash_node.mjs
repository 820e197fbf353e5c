// The client for servers: evaluates by itself, hears of changes by polling (whole or in parts) or by a stream.
import { createInterface } from 'node:readline';
import { InMemStorageProvider, Unleash } from 'unleash-client';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { site, people } = JSON.parse((await lines.next()).value);
const say = (what) => console.log(JSON.stringify(what));
const modes = {
  polling: { type: 'polling', format: 'full' },
  delta: { type: 'polling', format: 'delta' },
  streaming: { type: 'streaming' },
};
const start = (key) =>
  new Unleash({
    url: `${site.url}/api`,
    appName: 'vendors',
    customHeaders: { Authorization: key },
    refreshInterval: 500,
    metricsInterval: 3600_000,
    storageProvider: new InMemStorageProvider(),
    experimentalMode: modes[site.mode],
    disableAutoStart: true,
  });
const until = async (holds, seconds) => {
  const end = Date.now() + seconds * 1000;
  while (!holds() && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
  return holds();
};

// In streaming mode, a client that is refused goes on with polling, which says why.
const wrong = start(site.key.slice(0, -3) + 'abc');
const errors = [];
wrong.on('error', (error) => errors.push(error.message));
wrong.start();
say({ wrong_key: await until(() => errors.some((error) => error.includes('API key is not allowed')), 10), errors });
wrong.destroy();

const client = start(site.key);
const seen = { unchanged: 0, warnings: [], registered: 0, sent: 0, modes: [] };
client.on('unchanged', () => (seen.unchanged += 1));
client.on('warn', (warning) => seen.warnings.push(String(warning)));
client.on('error', (error) => seen.warnings.push(String(error)));
client.on('registered', () => (seen.registered += 1));
client.on('sent', () => (seen.sent += 1));
const synchronized = new Promise((done) => client.once('synchronized', done));
await Promise.all([client.start(), synchronized]);

const flags = client.getFeatureToggleDefinitions().map((feature) => feature.name);
const payload = (found) =>
  found ? [found.type, found.type === 'json' ? JSON.parse(found.value) : found.value] : null;
const answers = people.map((context) =>
  Object.fromEntries(
    flags.map((flag) => {
      const variant = client.getVariant(flag, context);
      const name = variant.enabled ? variant.name : 'disabled';
      return [flag, [client.isEnabled(flag, context), name, payload(variant.payload)]];
    }),
  ),
);
say({ flags, answers });
const heard = await until(() => client.isEnabled('changed'), 15);
say({ heard });
await client.flushMetrics();
const checks = {
  'it is registered': seen.registered === 1,
  'its report is taken': seen.sent >= 1,
  'nothing is warned of': seen.warnings.length === 0 || JSON.stringify(seen.warnings),
};
if (site.mode !== 'streaming') {
  checks['what is there already is not sent again'] = await until(() => seen.unchanged > 0, 5);
}
// Asked as a feature and for its variant: each counts.
say({ checks, counted: flags.includes('counted') ? people.length * 2 : 0 });
client.destroy();
process.exit(0);
