/* The parts of the page below its head, in the order of the page. */
#ifndef SYSTOLE_REPORT_HTML_PART_H
#define SYSTOLE_REPORT_HTML_PART_H

#include "report/html_text.h"

/* Rows that are shown at once; longer tables are folded away. */
enum { SystoleOpenRows = 40 };

/* A table that the workload added: <table> with what surrounds it, without a heading. */
void systole_html_table(systole_page *page, const systole_table *table);

/* Tables of all runs. */
void systole_html_results(systole_page *page);
void systole_html_reasons(systole_page *page);
void systole_html_powers(systole_page *page);
void systole_html_cycles(systole_page *page);
void systole_html_ledger_help(systole_page *page);
/* 1 when the report has what that part shows. */
int systole_html_has_reasons(const systole_report *report);
int systole_html_has_powers(const systole_report *report);
int systole_html_has_ledger(const systole_report *report);

/* What changed since a baseline, below its heading. */
void systole_html_changes(systole_page *page, const systole_comparison *comparison);

/* Every origin of the numbers shown before. */
void systole_html_origins(systole_page *page);

#endif
