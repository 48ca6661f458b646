// The same as index.mjs, as workerd wants it.
export default {
  async fetch(request) {
    const reading = JSON.parse(await request.text());
    return new Response(
      JSON.stringify({
        sensor: reading.sensor,
        fahrenheit: (reading.celsius * 9) / 5 + 32,
        alarm: reading.celsius > 30,
        tags: Object.fromEntries(reading.tags.map((name) => [name, name.length])),
      }),
      { headers: { "content-type": "application/json" } },
    );
  },
};
