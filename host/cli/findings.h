/* What systole doctor finds, in the order of the lines that it prints. */
#ifndef SYSTOLE_CLI_FINDINGS_H
#define SYSTOLE_CLI_FINDINGS_H

typedef enum systole_finding_state {
  SYSTOLE_FINDING_GOOD,
  SYSTOLE_FINDING_NOTE, /* something does not work, and the main job does without */
  SYSTOLE_FINDING_MISSING
} systole_finding_state;

typedef struct systole_finding {
  char name[32];
  systole_finding_state state;
  char found[320];
  char remedy[320]; /* "" when nothing is to be done */
} systole_finding;

enum { SystoleFindings = 96 };
typedef struct systole_findings {
  systole_finding list[SystoleFindings];
  int count;
} systole_findings;

void systole_find(systole_findings *all, const char *name, systole_finding_state state,
                  const char *remedy, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* XRT: library and version, environment, cards with drivers, shells, permissions, what
 * xbutil says, and the passport of `xclbin` (NULL: none was named) against file and
 * shell. `root` stands before /sys, /dev, /opt and /usr. Nothing of XRT is loaded. */
void systole_doctor_xrt(systole_findings *all, const char *root, const char *xclbin);

#endif
