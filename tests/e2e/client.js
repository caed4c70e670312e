// Calls a hosted model with the published client, unpatched, and prints what happened as JSON.
// Usage: node client.js <folder of node_modules> <url> <token> <subject>
const dns = require('dns');

// Names below the client's domain are on this machine; everything else is left alone.
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => {
  const done = callback || options;
  if (!name.endsWith('.hosted-models.runwayml.cloud')) return lookup(name, options, callback);
  if (typeof options === 'object' && options.all) return done(null, [{ address: '127.0.0.1', family: 4 }]);
  return done(null, '127.0.0.1', 4);
};

const [folder, url, token, subject] = process.argv.slice(2);
const { HostedModel } = require(require.resolve('@runwayml/hosted-models', { paths: [folder] }));
const model = new HostedModel(token ? { url, token } : { url });

const subjects = {
  info: () => model.info(),
  query: () => model.query({ text: 'hello' }),
  isAwake: () => model.isAwake(),
  async waitUntilAwake() {
    await model.waitUntilAwake(100);
    return model.isAwake();
  },
};

subjects[subject]().then(
  (answer) => console.log(JSON.stringify({ answer })),
  (error) => console.log(JSON.stringify({ name: error.name, message: error.message })),
);
