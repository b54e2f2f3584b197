// A page that fails takes nothing else with it: it says so, and what it said can be copied into a report.
import { Component, type ReactNode } from "react";

import { useTexts } from "../i18n";
import { Button } from "./button";

function Failed({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { t } = useTexts();
  return (
    <div role="alert" className="card space-y-4">
      <h1 className="text-lg font-semibold">{t("page.failed")}</h1>
      <p className="text-sm">{t("page.failedText")}</p>
      <pre className="overflow-auto rounded bg-raised p-3 text-xs">{error.message}</pre>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" onClick={onRetry}>{t("retry")}</Button>
        <Button onClick={() => window.location.reload()}>{t("page.reload")}</Button>
      </div>
    </div>
  );
}

export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    return error ? <Failed error={error} onRetry={() => this.setState({ error: undefined } as unknown as { error: Error })} /> : this.props.children;
  }
}
