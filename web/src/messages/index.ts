// Every text of the app, one file an area; a new area is a file of this folder and a line in each of the two
// lists below.  A row without both languages does not compile, and neither does a call that leaves out one of the
// {parameters} of the English text (i18n.tsx).  {n|one|many} chooses by the number n.  A key stands in one area
// only (index.test.ts).
import { compare } from "./compare";
import { datasets } from "./datasets";
import { home } from "./home";
import { jobs } from "./jobs";
import { labels } from "./labels";
import { operate } from "./operate";
import { parts } from "./parts";
import { people } from "./people";
import { registry } from "./registry";
import { server } from "./server";
import { shell } from "./shell";
import { train } from "./train";
import { trying } from "./try";
import { upload } from "./upload";
import { watch } from "./watch";
import { words } from "./words";

export const areas = { compare, datasets, home, jobs, labels, operate, parts, people, registry, server, shell, train, trying, upload, watch, words };

export const messages = {
  ...compare,
  ...datasets,
  ...home,
  ...jobs,
  ...labels,
  ...operate,
  ...parts,
  ...people,
  ...registry,
  ...server,
  ...shell,
  ...train,
  ...trying,
  ...upload,
  ...watch,
  ...words,
} as const;
