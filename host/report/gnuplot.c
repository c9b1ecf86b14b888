#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Width = 960, TitleHeight = 30, PngScale = 2, NotFound = 127 };

static void put_terminal(FILE *script, const char *kind, const char *file, int height,
                         systole_theme theme) {
  const int png = strcmp(kind, "pngcairo") == 0;
  const int scale = png ? PngScale : 1;
  fprintf(script, "set terminal %s noenhanced size %d,%d background '%s' font '%s,%d'",
          kind, Width * scale, height * scale,
          theme == SYSTOLE_THEME_DARK ? "#161b22" : "#ffffff",
          png ? "sans" : "sans-serif", png ? 20 : 14);
  if (png) {
    fprintf(script, " linewidth 2 pointscale 2");
  } else {
    fprintf(script, " dynamic rounded");
  }
  fprintf(script, "\nset output '%s'\n", file);
}

/* The page's pictures have no title, and no room for one; labels above the frame fit. */
static const char page_top[] = "set tmargin 2.2\n";

/* What a figure's commands need of the canvas for their legend. */
typedef struct legend {
  size_t entries, longest, rows;
} legend;

/* Counts the titles of the plot command. */
static legend measure_legend(const char *commands) {
  static const char title[] = " title '";
  legend out = {0, 0, 0};
  const char *at = strstr(commands, "\nplot ");
  while (at != NULL && (at = strstr(at, title)) != NULL) {
    size_t length = 0;
    for (at += sizeof title - 1; *at != '\0' && (*at != '\'' || at[1] == '\''); at++) {
      if (*at == '\'') at++;
      length += ((unsigned char)*at & 0xc0) != 0x80; /* letters of UTF-8 */
    }
    out.entries++;
    if (length > out.longest) out.longest = length;
  }
  enum { Usable = 900, Letter = 7, Sample = 80 };
  const size_t columns = Usable / (Letter * out.longest + Sample);
  out.rows = columns > 1 ? (out.entries + columns - 1) / columns : out.entries;
  return out;
}

/* A figure's own commands, with a legend that fits: as many columns as its words allow,
 * and room for its rows below the axes. NULL when memory is exhausted; *extra is by how
 * much the canvas must grow, *width what the legend's key is made wider by. */
static char *commands_of(const systole_figure *figure, const systole_report *report,
                         systole_theme theme, int *extra, double *width) {
  enum { UsualRows = 3, RowHeight = 24 };
  /* In an SVG gnuplot takes every letter of a legend for as wide as a wide one. */
  static const double narrow = 0.22;
  const char *top = theme == SYSTOLE_THEME_DARK ? page_top : "";
  char *drawn = NULL, *out = NULL;
  size_t size = 0;
  *extra = 0;
  *width = 0;
  FILE *file = open_memstream(&drawn, &size);
  if (file == NULL) return NULL;
  figure->draw(file, report, theme);
  if (fclose(file) != 0) {
    free(drawn);
    return NULL;
  }
  const legend own = measure_legend(drawn);
  char *plot = strstr(drawn, "\nplot ");
  if (plot == NULL || own.entries == 0) return drawn;
  if (own.rows > UsualRows) *extra = (int)(own.rows - UsualRows) * RowHeight;
  *plot = '\0';
  *width = -narrow * (double)own.longest;
  if (asprintf(&out, "%s\n%sset key maxrows %zu width %.1f\nset bmargin %.1f\nplot %s",
               drawn, top, own.rows, *width, 4.6 + 1.3 * (double)own.rows,
               plot + strlen("\nplot ")) < 0) {
    out = NULL;
  }
  free(drawn);
  return out;
}

/* Two scripts, since colours are spread over a figure's commands. The light one is kept:
 * it is how a person makes the figure again with other fonts or colours. The page's own
 * pictures
 * (-light and -dark) have no title, since the page has headings. */
static int write_script(const systole_figure *figure, const systole_report *report,
                        const char *path, systole_theme theme) {
  int extra;
  double width;
  char *commands = commands_of(figure, report, theme, &extra, &width);
  if (commands == NULL) return 0;
  FILE *script = fopen(path, "w");
  if (script == NULL) {
    free(commands);
    return 0;
  }
  const int height = figure->height(report) + extra;
  char file[96];
  fprintf(script, "# gnuplot %s.gnuplot draws this figure again.\n", figure->name);
  if (theme == SYSTOLE_THEME_LIGHT) {
    fputs("set title ", script);
    systole_figure_string(script, figure->title);
    fputc('\n', script);
    snprintf(file, sizeof file, "%s.svg", figure->name);
    put_terminal(script, "svg", file, height, theme);
    fputs(commands, script);
    snprintf(file, sizeof file, "%s.png", figure->name);
    put_terminal(script, "pngcairo", file, height, theme);
    /* A PNG's letters are measured. */
    fprintf(script, "set key width 0\nreplot\nset key width %.1f\n", width);
  }
  snprintf(file, sizeof file, "%s-%s.svg", figure->name,
           theme == SYSTOLE_THEME_DARK ? "dark" : "light");
  put_terminal(script, "svg", file, height - TitleHeight, theme);
  fputs("unset title\n", script);
  if (theme == SYSTOLE_THEME_LIGHT) {
    fprintf(script, "%sreplot\n", page_top);
  } else {
    fputs(commands, script);
  }
  fputs("set output\n", script);
  free(commands);
  const int good = !ferror(script);
  return fclose(script) == 0 && good;
}

/* Runs gnuplot in `folder`; what it complains about goes to `log`. Returns its exit
 * status, or NotFound. A child of its own, not a pipe: nothing can break but the child.
 */
static int run(const char *folder, const char *script, const char *log) {
  const pid_t child = fork();
  if (child < 0) return NotFound;
  if (child == 0) {
    const int input = open("/dev/null", O_RDONLY);
    if (chdir(folder) != 0 || input < 0) _exit(NotFound);
    const int output = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (output < 0) _exit(NotFound);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    /* A person's own ~/.gnuplot must not change the figures. */
    execlp("gnuplot", "gnuplot", "-d", script, (char *)NULL);
    _exit(NotFound);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return NotFound;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A picture that a full disk cut short looks like success otherwise. */
static int ends_with(const char *path, const char *tail, size_t tail_size) {
  char end[64] = "";
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  size_t got = 0;
  if (fseek(file, -(long)sizeof end, SEEK_END) == 0)
    got = fread(end, 1, sizeof end, file);
  fclose(file);
  for (size_t i = 0; i + tail_size <= got; i++) {
    if (memcmp(end + i, tail, tail_size) == 0) return 1;
  }
  return 0;
}

static void first_line(char *out, size_t size, const char *path) {
  FILE *file = fopen(path, "r");
  out[0] = '\0';
  while (file != NULL && fgets(out, (int)size, file) != NULL) {
    out[strcspn(out, "\n")] = '\0';
    if (strspn(out, " \t^") != strlen(out)) break;
  }
  if (file != NULL) fclose(file);
}

int systole_gnuplot_draw(const systole_figure *figure, const systole_report *report,
                         const char *folder, char *why, size_t why_size) {
  static const char *const endings[] = {".svg", "-light.svg", "-dark.svg", ".png"};
  static const char *const kinds[] = {".gnuplot", "-dark.gnuplot"};
  static const char svg_end[] = "</svg>", png_end[] = "IEND";
  char path[4096], script[96], log[4096], line[160];
  int good = 1, status = 0;
  why[0] = '\0';
  snprintf(log, sizeof log, "%s/%s.log", folder, figure->name);
  for (int theme = SYSTOLE_THEME_LIGHT; good && theme <= SYSTOLE_THEME_DARK; theme++) {
    snprintf(script, sizeof script, "%s%s", figure->name, kinds[theme]);
    snprintf(path, sizeof path, "%s/%s", folder, script);
    snprintf(line, sizeof line, "%s.log", figure->name);
    good = write_script(figure, report, path, (systole_theme)theme);
    if (!good) {
      snprintf(why, why_size, "its script cannot be written: %s", strerror(errno));
    } else if ((status = run(folder, script, line)) != 0) {
      good = 0;
      first_line(line, sizeof line, log);
      if (status == NotFound) {
        snprintf(why, why_size, "gnuplot is not installed (apt-get install gnuplot-nox)");
      } else {
        snprintf(why, why_size, "gnuplot failed: %s", line);
      }
    }
    if (theme == SYSTOLE_THEME_DARK) unlink(path);
  }
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    snprintf(path, sizeof path, "%s/%s%s", folder, figure->name, endings[i]);
    const int whole = strcmp(endings[i], ".png") == 0
                          ? ends_with(path, png_end, sizeof png_end - 1)
                          : ends_with(path, svg_end, sizeof svg_end - 1);
    if (good && !whole) {
      good = 0;
      first_line(line, sizeof line, log);
      snprintf(why, why_size, "gnuplot left %s%s incomplete%s%s", figure->name,
               endings[i], line[0] != '\0' ? ": " : "", line);
    }
  }
  for (size_t i = 0; !good && i < sizeof endings / sizeof endings[0]; i++) {
    snprintf(path, sizeof path, "%s/%s%s", folder, figure->name, endings[i]);
    unlink(path);
  }
  unlink(log);
  return good;
}
