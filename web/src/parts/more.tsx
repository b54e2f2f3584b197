// Lists that come by page: their states, and the next page on demand.
import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { useTexts } from "../i18n";
import { Button, ErrorNote, Loading } from "./ui";

export function Paged<P, T>({ of, items, empty, children }: {
  of: UseInfiniteQueryResult<InfiniteData<P>>; items: (page: P) => T[]; empty: ReactNode; children: (all: T[]) => ReactNode;
}) {
  const { t } = useTexts();
  if (!of.data) return of.isError ? <ErrorNote error={of.error} retry={() => void of.refetch()} /> : <Loading lines={5} />;
  const all = of.data.pages.flatMap(items);
  return (
    <div className="space-y-4" aria-busy={of.isFetching}>
      {all.length ? children(all) : empty}
      {of.isError && <ErrorNote error={of.error} retry={() => void of.fetchNextPage()} />}
      {of.hasNextPage && (
        <div className="flex justify-center">
          <Button busy={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>{t("more")}</Button>
        </div>
      )}
    </div>
  );
}
