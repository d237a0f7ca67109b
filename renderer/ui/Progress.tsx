interface ProgressProps {
  readonly label: string;
  /** 0..1; null where the length is not known. */
  readonly fraction: number | null;
}

export function Progress({ label, fraction }: ProgressProps) {
  const percent = fraction === null ? undefined : Math.round(Math.min(1, Math.max(0, fraction)) * 100);
  return (
    <div
      className={percent === undefined ? "progress progress-open" : "progress"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div className="progress-bar" style={percent === undefined ? undefined : { width: `${percent}%` }} />
    </div>
  );
}
