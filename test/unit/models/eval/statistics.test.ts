import { describe, expect, it } from "vitest";
import { lookFigure } from "../../../../models/eval/look.ts";
import {
  balancedAccuracy,
  fitLogistic,
  fitTemperature,
  groupBootstrap,
  percentile,
} from "../../../../models/eval/statistics.ts";
import { seededRandom } from "../../../../models/evidence/noise.ts";

describe("percentile", () => {
  it("interpolates between neighbours", () => {
    expect(percentile([4, 1, 3, 2, 5], 0.5)).toBe(3);
    expect(percentile([0, 10], 0.95)).toBeCloseTo(9.5, 9);
    expect(percentile([7], 0.95)).toBe(7);
  });
});

describe("balanced accuracy", () => {
  it("weighs yes and no alike however many there are of each", () => {
    const cases = [
      ...Array.from({ length: 90 }, () => ({ truth: false, answer: false })),
      ...Array.from({ length: 10 }, () => ({ truth: true, answer: false })),
    ];
    expect(balancedAccuracy(cases)).toBe(0.5);
  });
});

describe("the bootstrap draws groups", () => {
  it("gives a wider interval where cases of a group agree than where they are independent", () => {
    const random = seededRandom(1);
    const values = Array.from({ length: 40 }, () => (random() < 0.5 ? 1 : 0));
    const mean = (cases: readonly { value: number }[]) =>
      cases.reduce((sum, { value }) => sum + value, 0) / cases.length;
    const grouped = values.flatMap((value, group) =>
      Array.from({ length: 5 }, () => ({ group: `${group}`, value })),
    );
    const single = grouped.map(({ value }, index) => ({ group: `${index}`, value }));
    const width = ({ interval }: { interval: [number, number] }) => interval[1] - interval[0];
    expect(width(groupBootstrap(grouped, mean))).toBeGreaterThan(1.7 * width(groupBootstrap(single, mean)));
  });

  it("is the same each time", () => {
    const cases = Array.from({ length: 30 }, (_, index) => ({ group: `${index % 7}`, value: index % 3 }));
    const mean = (some: readonly { value: number }[]) =>
      some.reduce((sum, { value }) => sum + value, 0) / some.length;
    expect(groupBootstrap(cases, mean)).toEqual(groupBootstrap(cases, mean));
  });
});

describe("logistic fit", () => {
  it("finds the curve that the cases were drawn from", () => {
    const random = seededRandom(5);
    const cases = Array.from({ length: 8000 }, () => {
      const x = 8 * random() - 4;
      return { x, truth: random() < 1 / (1 + Math.exp(-(1.5 * x - 0.6))) };
    });
    const { slope, offset } = fitLogistic(cases);
    expect(slope).toBeCloseTo(1.5, 0);
    expect(-offset / slope).toBeGreaterThan(-0.2);
    expect(-offset / slope).toBeLessThan(0.8);
  });

  it("finds the border of classes that hardly overlap and lie far from zero", () => {
    const random = seededRandom(2);
    const cases = Array.from({ length: 160 }, (_, index) => {
      const truth = index % 2 === 0;
      return { x: (truth ? 7 : 0) + 5 * (random() - 0.5), truth };
    });
    const { slope, offset } = fitLogistic(cases);
    expect(slope).toBeGreaterThan(0.5);
    expect(-offset / slope).toBeGreaterThan(2);
    expect(-offset / slope).toBeLessThan(5);
  });

  it("does not run away where the classes do not overlap", () => {
    const { slope, offset } = fitLogistic([
      { x: -1, truth: false },
      { x: 3, truth: true },
    ]);
    expect(Number.isFinite(slope)).toBe(true);
    expect(1 / (1 + Math.exp(-(slope * 3 + offset)))).toBeGreaterThan(0.9);
  });
});

describe("temperature", () => {
  it("is above one for odds that are too sure", () => {
    const random = seededRandom(9);
    const cases = Array.from({ length: 4000 }, () => {
      const odds = 4 * random() - 2;
      return { x: 3 * odds, truth: random() < 1 / (1 + Math.exp(-odds)) };
    });
    expect(fitTemperature(cases)).toBeGreaterThan(2.6);
    expect(fitTemperature(cases)).toBeLessThan(3.4);
  });
});

describe("the figure of looking", () => {
  const cases = (look: boolean) =>
    Array.from({ length: 200 }, (_, index) => {
      const truth = index % 2 === 0;
      return {
        group: `${index >> 1}`,
        truth,
        answer: look ? truth : true,
        swapped: look ? !truth : true,
        odds: 1,
        swappedOdds: 1,
      };
    });

  it("is one for a model that always sees the image, and its opposite on the swapped one", () => {
    expect(lookFigure(cases(true))).toMatchObject({
      true_image: { value: 1 },
      swapped_image: { value: 0 },
      difference: { value: 1, interval: [1, 1] },
    });
  });

  it("is nothing for a model that always says yes", () => {
    expect(lookFigure(cases(false)).difference).toEqual({ value: 0, interval: [0, 0] });
  });
});
