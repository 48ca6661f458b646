// The handler of the benchmark: parse the event, build an object, return JSON.
export const handler = async (event) => {
  const reading = JSON.parse(event.body);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      sensor: reading.sensor,
      fahrenheit: (reading.celsius * 9) / 5 + 32,
      alarm: reading.celsius > 30,
      tags: Object.fromEntries(reading.tags.map((name) => [name, name.length])),
    }),
  };
};
