/* docs/spec.md from the table: `caisson generate` writes it, and a test holds the file to it. */
#include <string.h>

#include "core/mem.h"
#include "spec/document.h"
#include "spec/table.h"
#include "spec/template.h"

static const char *type_name(const struct rule *rule)
{
    switch (rule->type) {
    case TYPE_BOOL: return "true or false";
    case TYPE_INT: return "number";
    case TYPE_DURATION: return "duration";
    case TYPE_SIZE: return "size";
    case TYPE_LIMIT: return "size or percentage";
    case TYPE_ENUM: return "word";
    case TYPE_TIMESTAMP: return "time";
    case TYPE_COMMAND: return "command or `false`";
    case TYPE_VALUE: return "value";
    case TYPE_OBJECT: return "map";
    case TYPE_SWITCH: return "true, false, or map";
    case TYPE_LIST: return rule->values ? "list of words" : "list of texts";
    case TYPE_OBJECT_LIST: return "list of maps";
    case TYPE_TEXT_MAP: return "names and texts";
    case TYPE_SECRET_MAP: return "names and values";
    default: return "text";
    }
}

static void add_words(const struct rule *rule, struct buf *out)
{
    size_t i;

    buf_adds(out, ": ");
    for (i = 0; rule->values[i]; i++)
        buf_addf(out, "%s`%s`", i ? ", " : "", rule->values[i]);
    for (i = 0; rule->aliases && rule->aliases[i]; i += 2)
        buf_addf(out, "; `%s` is `%s`", rule->aliases[i], rule->aliases[i + 1]);
}

static void add_builders(const struct rule *rule, struct buf *out)
{
    bool first = true;
    int i;

    if (rule->builders == BUILDERS_ALL)
        return;
    buf_adds(out, " Builders: ");
    for (i = BUILDER_AUTO; i <= BUILDER_DOCKERFILE; i++) {
        if (!(rule->builders & (1U << i)))
            continue;
        buf_addf(out, "%s`%s`", first ? "" : ", ", builder_name((enum builder)i));
        first = false;
    }
    buf_addc(out, '.');
}

static void add_variables(const struct rule *rule, struct buf *out)
{
    bool first = true;
    unsigned i;

    if (!rule->variables)
        return;
    buf_adds(out, " Variables: ");
    for (i = 0; template_variable(i); i++) {
        if (!(rule->variables & (1U << i)))
            continue;
        buf_addf(out, "%s`${%s}`", first ? "" : ", ", template_variable(i));
        first = false;
    }
    buf_addc(out, '.');
}

static void add_with(const struct rule *rule, struct buf *out)
{
    size_t i;

    for (i = 0; rule->with && rule->with[i]; i++)
        buf_addf(out, "%s`%s`", i ? ", " : " With: ", rule->with[i]);
    if (rule->with)
        buf_addc(out, '.');
}

static void add_row(const struct rule *rule, struct buf *out)
{
    buf_addf(out, "| `%s`%s | %s", rule->name,
             rule->required ? " (required)"
             : rule->choice ? " (one of these)"
                            : "",
             type_name(rule));
    if (rule->values)
        add_words(rule, out);
    if (rule->type == TYPE_INT && rule->min != rule->max)
        buf_addf(out, ", %ld to %ld", rule->min, rule->max);
    buf_adds(out, " | ");
    if (rule->fallback)
        buf_addf(out, "`%s`", rule->fallback);
    else
        buf_adds(out, rule->fallback_doc ? rule->fallback_doc : "");
    buf_addf(out, " | %s", rule->doc);
    add_builders(rule, out);
    add_with(rule, out);
    add_variables(rule, out);
    if (rule->example)
        buf_addf(out, " Example: `%s`.", rule->example);
    buf_adds(out, " |\n");
}

static void add_table(const struct rule *rules, const char *path, const char *heading, struct buf *out)
{
    const struct rule *rule;

    if (*path)
        buf_addf(out, "\n%s `%s`\n\n", heading, path);
    buf_adds(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    /* Not over the end of the list: pins go on with the whole spec. */
    for (rule = rules; rule->name; rule++)
        if (!rule->later)
            add_row(rule, out);
    for (rule = rules; rule->name; rule++) {
        CLEANUP_FREE char *below =
            xasprintf("%s%s%s%s", path, *path ? "." : "", rule->name, rule->type == TYPE_OBJECT_LIST ? "[]" : "");

        if (rule->children && rule->children != spec_rules && !rule->later)
            add_table(rule->children, below, heading, out);
    }
}

static void add_later(const struct rule *rules, const char *base, struct buf *out)
{
    const struct rule *rule;
    size_t i;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = xasprintf("%s%s%s", base, *base ? "." : "", rule->name);

        if (rule->later)
            buf_addf(out, "- `%s`: %s\n", path, rule->doc);
        for (i = 0; rule->later_values && rule->later_values[i]; i++)
            buf_addf(out, "- `%s: %s`\n", path, rule->later_values[i]);
        if (rule->children && !rule->later)
            add_later(rule->children, path, out);
    }
}

static void add_exit_codes(struct buf *out)
{
    enum error_class class;
    size_t i;

    buf_adds(out, "\n## Exit codes\n\n| code | class | meaning |\n|---|---|---|\n");
    for (i = 0; error_class_at(i, &class); i++)
        buf_addf(out, "| %d | `%s` | %s |\n", (int)class, error_class_name(class), error_class_summary(class));
    buf_adds(out,
             "\nThese numbers and names are a promise. Retries read the result's `retryable`, never the number.\n");
}

static const char intro[] =
    "# The job spec\n\n"
    "<!-- Made from the table of the program (src/spec/table*.c) by `caisson generate spec`. Do not edit. -->\n\n"
    "A job spec is YAML or JSON text, at most 1 MiB. `caisson validate FILE` says what is wrong with one, "
    "`caisson plan FILE` says what it means, `caisson schema` prints a JSON Schema for editors.\n\n"
    "```yaml\n"
    "version: 1\n"
    "project: shop\n"
    "source:\n"
    "  repository: user/repo\n"
    "  ref: main\n"
    "artifacts:\n"
    "  - to: s3://bucket/__outputs/${project}/\n"
    "```\n\n"
    "## Rules\n\n"
    "- Types come from the tables below, never from YAML's guess: `node: 18.10`, `ref: no`, `PORT: 3000` are texts. A "
    "plain empty value, `~` or `null` means that the key is not given.\n"
    "- A **duration** is like `90s`, `30m`, `1h30m`, at most 30 days; `0s` for a time limit means none. A **size** is "
    "like `64MiB` or `5GiB`. A **time** is like `2026-01-09T12:00:00Z`.\n"
    "- A **value** is a text, or where it comes from: `{ env: NAME }`, `{ file: PATH }`, `{ ssm: NAME }` or "
    "`{ secret: NAME#KEY }` (below).\n"
    "- Unknown keys are errors; keys that begin with `x-` are ignored. Every mistake is told at once, with line and "
    "column.\n"
    "- A key that does not apply to the chosen builder is an error.\n"
    "- Variables like `${project}` work in the keys that name them below, and nowhere else; `$${` is a plain `${`. "
    "Nothing of the environment is ever put in.\n"
    "- YAML's anchors, aliases and `<<` work; tags other than the core ones do not. A key may stand once in a map. "
    "Limits: 32 levels, 20,000 values and 4 MiB of text, aliases expanded.\n"
    "- Paths are relative to `source.directory`; one that begins with `/` is relative to the repository. `..` is "
    "refused.\n\n"
    "## Keys\n\n";

static const char values_text[] =
    "\n## Values and secrets\n\n"
    "| source | what it names |\n|---|---|\n"
    "| `{ env: NAME }` | A variable of caisson's own environment. Reserved names (below) are refused. |\n"
    "| `{ file: PATH }` | A file of at most 64 KiB; a newline at its end does not belong to the value. As PID 1 of a "
    "container it lies beneath `/run/secrets` or a folder that the operator's file names. |\n"
    "| `{ ssm: NAME }` | A parameter of the Systems Manager Parameter Store, decrypted: `/shop/npm`, `/shop/npm:3` or "
    "`/shop/npm:label`, or its ARN. |\n"
    "| `{ secret: NAME#KEY }` | A secret of the Secrets Manager by name or ARN. `#KEY` takes one value of a JSON "
    "document; without it the whole text is the value. ECS's own form, `ARN:KEY:STAGE:VERSION`, works too. A binary "
    "secret is refused. |\n\n"
    "The last two are asked for with the task's role, in the region of the ARN, else of the task, before the first "
    "step, and only when a step that gets them may run. The role needs `ssm:GetParameter`, "
    "`secretsmanager:GetSecretValue`, and `kms:Decrypt` where a key of your own encrypts. What cannot be had is named "
    "all at once, and the job ends with class 12; when a service does not answer, with class 51, which is "
    "retryable.\n\n"
    "An entry of `secrets` has these keys besides its source:\n\n"
    "| key | default | meaning |\n|---|---|---|\n"
    "| `steps` | all three; of `as: npmrc` `[install]` | Which commands get it: `install`, `build`, `test`. No other "
    "process ever sees it. |\n"
    "| `as` | `env` | `env`: the variable holds the value. `file`: the variable holds the path of a file (mode 0400, "
    "outside of the checkout) that holds the value. `npmrc`: the file is the user configuration of npm, pnpm and yarn "
    "1 (`npm_config_userconfig`), for private registries; the variable is not set. A text of several lines ends in a "
    "newline there. Files are overwritten and removed when the command has ended. |\n"
    "| `public` | `false` | `true`: the value is meant to be in the published files, as `VITE_*` keys are, so they are "
    "not searched for it. In the log it is hidden all the same. |\n\n"
    "The builder `dockerfile` has one step that gets secrets, `build`, and gives it those alone that `build.secrets` "
    "names: a RUN has each as a file where it says `--mount=type=secret,id=NAME`, whatever `as` says. `steps` may be "
    "left out there; when it is given, `build` stands in it. `as: npmrc` is an error there: "
    "`--mount=type=secret,id=NAME,target=/root/.npmrc` does it.\n\n"
    "Names of entries obey the reserved names, and one that stands in `env` too is an error.\n";

static const char operator_intro[] =
    "\n## The operator's file\n\n"
    "`/etc/caisson/operator.yaml` of the image, or `--operator FILE`. It is the operator's word where a spec is a "
    "tenant's. `caisson plan` shows what came from it.\n\n"
    "Values apply in this order, the last wins: `defaults`, the spec, `pins`. Maps are merged key by key, lists are "
    "replaced. Defaults and pins of keys that are for another builder than the job's are left out. Of `max`, a "
    "value that is larger (or no limit at all) becomes the bound; that is no error.\n\n"
    "`pins.bucket` and `pins.prefix` hold for `artifacts`, `cache`, `result`, `log` and `control`: the bucket takes "
    "the place of "
    "the "
    "spec's, and a key that does not lie beneath the prefix is put beneath it. A default or a pin of `source.auth` "
    "goes "
    "to whatever repository the spec names: pin `source.repository` with it. `notify` is a list: a spec's takes the "
    "place of the one in `defaults`, and `pins.notify` "
    "that of a spec's.\n\n";

static const char notify_text[] =
    "\n## Who is told\n\n"
    "Each entry of `notify` is one target, named by one of the keys `http` to `cloudwatch_logs`; the others go with "
    "some "
    "of them, as the table says. What is told is in the order of the job and never holds it up.\n\n"
    "The task shares its network with the build. So a broker without TLS or without a password, plain http, and a URL "
    "with an "
    "address that is private as far as the text tells are errors unless the operator's file allows them "
    "(`plain-brokers`, `private-http`). What a name resolves to is looked at when it is called: a URL may not lead to "
    "a "
    "private address, nor a broker to one of the task itself (loopback, link-local), where the build may answer; "
    "elsewhere in a private network TLS and the password are what tells it from others. On a developer's "
    "machine "
    "(neither PID 1 nor an ECS task) loopback needs nobody's word.\n\n"
    "## Cancelling\n\n"
    "A running job looks every 5 seconds for what `control` names, by its ETag: nothing there (404) means go on. "
    "Whoever "
    "wants the job to end puts a JSON document of at most 16 KiB there:\n\n"
    "```json\n{ \"action\": \"cancel\", \"by\": \"alice\", \"reason\": \"wrong branch\" }\n```\n\n"
    "`by` and `reason` may be left out. The job ends with the class `cancelled` (130), and its result says who and "
    "why. One "
    "that is past its point of no return, because what it publishes can be seen already, goes on and succeeds. A place "
    "that cannot be read is a warning in the log.\n\n"
    "`cancel` names a channel of Redis where such requests are published, those of other jobs too. The job listens "
    "from "
    "before the checkout on, and ends when a message comes that holds its id in `member`:\n\n"
    "```json\n{ \"id\": \"abc123\", \"by\": \"alice\", \"reason\": \"wrong branch\" }\n```\n\n"
    "Other members are ignored, but for an `action`, which has to be `cancel`. Redis keeps no messages: one that is "
    "published before the job listens, or while the connection is lost (it is made again after a second, or up to half "
    "a minute), is not heard. Whoever needs to be sure looks whether the job ends and publishes again, or uses "
    "`control`. A server that cannot be reached is one warning in the log. What holds for a broker in `notify` holds "
    "here.\n";

void spec_markdown(struct buf *out)
{
    buf_adds(out, intro);
    add_table(spec_rules, "", "###", out);
    buf_adds(out, values_text);
    buf_adds(out, notify_text);
    buf_adds(out, "\n## Reserved names\n\nNames that `env`, `secrets` and `{ env: NAME }` may not use, because they "
                  "hold the platform's credentials or steer caisson or its libraries: ");
    env_reserved_list(out);
    buf_adds(out, ". The proxies' names in either case.\n");
    buf_adds(out, operator_intro);
    add_table(operator_rules, "", "###", out);
    buf_adds(out, "\n## Not in this version\n\nThese are refused by name:\n\n");
    add_later(spec_rules, "", out);
    buf_adds(out, "- ssh as `source.repository`\n");
    add_exit_codes(out);
}
