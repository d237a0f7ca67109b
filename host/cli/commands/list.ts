import type { Study } from "../../../core/study.ts";
import type { Command } from "../command.ts";
import { textOption } from "../values.ts";

export const listCommand: Command = {
  name: "list",
  usage: "[--search TEXT] [--series]",
  summary: "List the studies in the archive.",
  options: { search: { type: "string" }, series: { type: "boolean" } },
  help: {
    "--search TEXT": "only studies that have this in patient, description or accession number",
    "--series": "with the series of each study",
  },
  async run({ values, output, signal, owner }) {
    const client = await owner();
    const studies = await client.call("studies.list", { search: textOption(values, "search") ?? "" }, signal);
    if (!values["series"]) {
      return output.result({ studies }, studies.map(studyLine).join("\n") || "No studies.");
    }
    const withSeries = [];
    for (const study of studies) {
      const { studyInstanceUid } = study;
      withSeries.push({
        ...study,
        series: await client.call("studies.series", { studyInstanceUid }, signal),
      });
    }
    const lines = withSeries.flatMap((study) => [
      studyLine(study),
      ...study.series.map(
        ({ seriesInstanceUid, modality, seriesDescription, instances }) =>
          `    ${modality.padEnd(4)} ${instances.length} images  ${seriesDescription}  ${seriesInstanceUid}`,
      ),
    ]);
    output.result({ studies: withSeries }, lines.join("\n") || "No studies.");
  },
};

function studyLine(study: Study): string {
  const { studyDate, modalities, patientName, studyDescription, instanceCount, studyInstanceUid } = study;
  const parts = [studyDate || "no date ", modalities.join("/"), patientName, studyDescription];
  return `${parts.join("  ")}  ${instanceCount} images  ${studyInstanceUid}`;
}
