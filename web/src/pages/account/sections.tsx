// Links between the pages about people.
import { useTexts } from "../../i18n";
import { Link, usePath } from "../../router";
import { useMay } from "../../session";

export function Sections() {
  const { t } = useTexts();
  const path = usePath();
  const manager = useMay("manager");
  const links: [string, string][] = [
    ["/app/account", t("account")], ...(manager ? [["/app/users", t("users")] as [string, string]] : []), ["/app/projects", t("projects")],
  ];
  return (
    <nav aria-label={t("people")} className="mb-5 flex gap-1 overflow-x-auto border-b border-border">
      {links.map(([href, text]) => {
        const now = path === href || path.startsWith(`${href}/`);
        return (
          <Link key={href} href={href} aria-current={now ? "page" : undefined}
            className={`inline-flex min-h-11 items-center whitespace-nowrap border-b-2 px-3 text-sm font-medium ${now ? "border-primary" : "border-transparent text-muted hover:text-foreground"}`}>
            {text}
          </Link>
        );
      })}
    </nav>
  );
}
