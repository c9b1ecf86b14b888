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

/* Two scripts, since colours are spread over a figure's commands. The light one is kept:
 * it is how a person makes the figure again with other fonts or colours. The page's own
 * pictures
 * (-light and -dark) have no title, since the page has headings. */
static int write_script(const systole_figure *figure, const systole_report *report,
                        const char *path, systole_theme theme) {
  FILE *script = fopen(path, "w");
  if (script == NULL) return 0;
  const int height = figure->height(report);
  char file[96];
  fprintf(script, "# gnuplot %s.gnuplot draws this figure again.\n", figure->name);
  if (theme == SYSTOLE_THEME_LIGHT) {
    fprintf(script, "set title '%s'\n", figure->title);
    snprintf(file, sizeof file, "%s.svg", figure->name);
    put_terminal(script, "svg", file, height, theme);
    figure->draw(script, report, theme);
    snprintf(file, sizeof file, "%s.png", figure->name);
    put_terminal(script, "pngcairo", file, height, theme);
    fputs("replot\n", script);
  }
  snprintf(file, sizeof file, "%s-%s.svg", figure->name,
           theme == SYSTOLE_THEME_DARK ? "dark" : "light");
  put_terminal(script, "svg", file, height - TitleHeight, theme);
  fputs("unset title\n", script);
  if (theme == SYSTOLE_THEME_LIGHT) {
    fputs("replot\n", script);
  } else {
    figure->draw(script, report, theme);
  }
  fputs("set output\n", script);
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
