interface ChoiceProps {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly checked: boolean;
  readonly onChoose: () => void;
}

/** One of several ways, each with a sentence that says what it means. */
export function Choice({ name, title, text, checked, onChoose }: ChoiceProps) {
  return (
    <label className="choice">
      <input type="radio" name={name} checked={checked} onChange={onChoose} />
      <span className="choice-title">{title}</span>
      <span className="choice-text">{text}</span>
    </label>
  );
}
