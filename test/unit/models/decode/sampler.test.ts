import { describe, expect, test } from "vitest";
import { logProbability, logSumExp } from "../../../../models/decode/log-probability.ts";
import { seededRandom } from "../../../../models/decode/random.ts";
import { createSampler } from "../../../../models/decode/sampler.ts";

const draw = (
  options: { temperature: number; topP: number; seed: number },
  logits: number[],
  times: number,
) => {
  const sample = createSampler(options);
  const counts = logits.map(() => 0);
  for (let i = 0; i < times; i += 1) counts[sample(Float32Array.from(logits))]! += 1;
  return counts.map((count) => count / times);
};

describe("sampling", () => {
  test("the random numbers of a seed are fixed for all platforms", () => {
    const random = seededRandom(1);
    expect([random(), random(), random()]).toEqual([
      0.6270739405881613, 0.002735721180215478, 0.5274470399599522,
    ]);
  });

  test("temperature 0 takes the likeliest token, the lower id of two equals", () => {
    expect(createSampler({ temperature: 0, topP: 1, seed: 5 })(Float32Array.of(1, 3, 3, 2))).toBe(1);
  });

  test("tokens come as often as their probability says", () => {
    const shares = draw(
      { temperature: 1, topP: 1, seed: 3 },
      [Math.log(0.6), Math.log(0.3), Math.log(0.1)],
      20_000,
    );
    expect(shares[0]).toBeCloseTo(0.6, 1);
    expect(shares[1]).toBeCloseTo(0.3, 1);
    expect(shares[2]).toBeCloseTo(0.1, 1);
  });

  test("a lower temperature sharpens", () => {
    const logits = [1, 0];
    expect(draw({ temperature: 0.25, topP: 1, seed: 3 }, logits, 5000)[0]).toBeCloseTo(
      1 / (1 + Math.exp(-4)),
      1,
    );
  });

  test("top-p never draws from outside the smallest set that reaches it", () => {
    const shares = draw(
      { temperature: 1, topP: 0.7, seed: 9 },
      [Math.log(0.5), Math.log(0.3), Math.log(0.2)],
      5000,
    );
    expect(shares[2]).toBe(0);
    expect(shares[0]).toBeCloseTo(0.625, 1);
  });

  test("the same seed gives the same choices, another gives others", () => {
    const run = (seed: number) => {
      const sample = createSampler({ temperature: 1, topP: 0.9, seed });
      return Array.from({ length: 40 }, () => sample(Float32Array.of(1, 1.1, 0.9, 1.05)));
    };
    expect(run(4)).toEqual(run(4));
    expect(run(4)).not.toEqual(run(5));
  });
});

describe("log-probabilities", () => {
  test("are nats of a softmax over one row", () => {
    const logits = Float32Array.of(9, 9, 9, 0, Math.log(3), 0);
    expect(logProbability(logits, 3, { row: 1, id: 1 })).toBeCloseTo(Math.log(3 / 5), 6);
  });

  test("do not overflow", () => {
    expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 9);
    expect(logSumExp([-Infinity, -Infinity])).toBe(-Infinity);
  });
});
