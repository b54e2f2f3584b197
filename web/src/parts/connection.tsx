// A line over the page while the server cannot be reached; what was shown is asked for anew when it is back.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { useReachable } from "../connection";
import { useTexts } from "../i18n";
import { Icon } from "./button";
import { icons } from "./icons";
import { toast } from "./toast";

export function Connection() {
  const { t } = useTexts();
  const client = useQueryClient();
  const here = useReachable();
  const before = useRef(here);
  useEffect(() => {
    if (here && !before.current) {
      toast({ title: t("online.back"), tone: "success" });
      void client.invalidateQueries();
    }
    before.current = here;
  }, [here, client, t]);
  return (
    <div role="status" className="sticky top-0 z-20">
      {!here && (
        <p className="flex items-center justify-center gap-2 border-b border-warning/50 bg-surface px-4 py-2 text-sm text-warning">
          <Icon d={icons.warning} size={16} />{t("online.lost")}
        </p>
      )}
    </div>
  );
}
