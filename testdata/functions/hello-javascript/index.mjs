// Greets, and counts its greetings: an ordinary AWS Lambda handler, and the
// node's key-value store.
//
// What it shows:
//   - the event of an HTTP request, in API Gateway's payload format 2.0, and the
//     reply in the same format;
//   - code of the module, which runs once, at deploy: every instance is restored
//     from what it left in memory;
//   - ledge.kv, which outlives instances and power cuts, and a counter in it that
//     loses no count when two instances count at a time;
//   - console.log, which goes to the function's log.
//
//   ledge deploy hello-javascript index.mjs --route 'GET /hello-javascript/{name}'
//   curl localhost:8080/hello-javascript/Ada

const greeting = process.env.GREETING ?? 'Hello';

// Adds one to a number in the store and returns it.
async function count(key) {
  for (;;) {
    const before = await ledge.kv.getText(key);
    const now = Number(before ?? 0) + 1;
    if (await ledge.kv.compareAndSet(key, before, String(now))) return now;
  }
}

export const handler = async (event) => {
  const name = event.pathParameters?.name ?? 'world';
  const greetings = await count('greetings');
  console.log(`greeting ${greetings} is for ${name}`);
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: `${greeting} ${name}`, greetings }),
  };
};
