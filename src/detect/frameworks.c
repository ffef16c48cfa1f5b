#include "detect/frameworks.h"

#include <string.h>

#include "core/mem.h"
#include "detect/detect.h"

static const struct framework frameworks[] = {
    {
        .name = "next",
        .dependencies = {"next"},
        .configs = {"next.config.*"},
        .tools = {"next build"},
        .output = "out",
        .output_key = "distDir",
        .flags = {"-o", "--outdir"},
        .proof = {.key = "output",
                  .value = "export",
                  .tool = "next export",
                  .advice = "set output: 'export' in next.config: without it Next.js needs a server and writes no "
                            "folder of static files"},
    },
    {
        .name = "nuxt2",
        .dependencies = {"nuxt"},
        .below_major = 3,
        .configs = {"nuxt.config.*"},
        .tools = {"nuxt generate"},
        .scripts = {"generate", "build"},
        .script_must_build = true,
        .output = "dist",
    },
    {
        .name = "nuxt",
        .dependencies = {"nuxt"},
        .configs = {"nuxt.config.*"},
        .tools = {"nuxt generate", "nuxi generate"},
        .scripts = {"generate", "build"},
        .script_must_build = true,
        .output = ".output/public",
    },
    {
        .name = "gatsby",
        .dependencies = {"gatsby"},
        .configs = {"gatsby-config.*"},
        .tools = {"gatsby build"},
        .output = "public",
    },
    {
        .name = "react-router",
        .dependencies = {"@react-router/dev"},
        .configs = {"react-router.config.*"},
        .tools = {"react-router build"},
        .output = "build/client",
        .proof = {.key = "ssr",
                  .value = "false",
                  .advice = "set ssr: false in react-router.config: without it React Router's framework mode needs a "
                            "server"},
    },
    {
        .name = "remix",
        .dependencies = {"@remix-run/dev"},
        .configs = {"vite.config.*"},
        .tools = {"remix vite:build"},
        .output = "build/client",
        .proof = {.key = "ssr",
                  .value = "false",
                  .advice = "set ssr: false for the remix plugin in vite.config (SPA mode): without it Remix needs a "
                            "server"},
    },
    {
        .name = "astro",
        .dependencies = {"astro"},
        .configs = {"astro.config.*"},
        .tools = {"astro build"},
        .output = "dist",
        .output_key = "outDir",
        .root_key = "root",
        .flags = {"--outDir"},
        .proof = {.key = "output",
                  .forbidden = "server",
                  .advice = "remove output: 'server' from astro.config: with it Astro needs a server"},
    },
    {
        .name = "sveltekit",
        .dependencies = {"@sveltejs/kit"},
        .configs = {"svelte.config.*"},
        .tools = {"vite build"},
        .output = "build",
        .output_key = "pages",
        .proof = {.dependency = "@sveltejs/adapter-static",
                  .advice = "use @sveltejs/adapter-static: the other adapters of SvelteKit need a server"},
    },
    {
        .name = "angular",
        .dependencies = {"@angular/core"},
        .configs = {"angular.json"},
        .tools = {"ng build"},
        .angular = true,
    },
    {
        .name = "vitepress",
        .dependencies = {"vitepress"},
        .configs = {".vitepress/config.*", ".vitepress/config/index.*"},
        .tools = {"vitepress build"},
        .scripts = {"build", "docs:build", "build:docs"},
        .script_must_build = true,
        .output = ".vitepress/dist",
        .output_key = "outDir",
        .site_argument = true,
        .site_marker = ".vitepress",
        .flags = {"--outDir"},
    },
    {
        .name = "vuepress",
        .dependencies = {"vuepress", "@vuepress/cli"},
        .configs = {".vuepress/config.*"},
        .tools = {"vuepress build"},
        .scripts = {"build", "docs:build", "build:docs"},
        .script_must_build = true,
        .output = ".vuepress/dist",
        .site_argument = true,
        .site_marker = ".vuepress",
        .flags = {"--dest", "-d"},
    },
    {
        .name = "docusaurus",
        .dependencies = {"@docusaurus/core"},
        .configs = {"docusaurus.config.*"},
        .tools = {"docusaurus build"},
        .output = "build",
        .flags = {"--out-dir"},
    },
    {
        .name = "create-react-app",
        .dependencies = {"react-scripts"},
        .tools = {"react-scripts build", "craco build", "react-app-rewired build"},
        .output = "build",
        .flags = {"BUILD_PATH="},
    },
    {
        .name = "vue-cli",
        .dependencies = {"@vue/cli-service"},
        .configs = {"vue.config.*"},
        .tools = {"vue-cli-service build"},
        .output = "dist",
        .output_key = "outputDir",
        .flags = {"--dest"},
    },
    {
        .name = "eleventy",
        .dependencies = {"@11ty/eleventy"},
        .configs = {"eleventy.config.*", ".eleventy.js"},
        .tools = {"eleventy"},
        .output = "_site",
        .output_key = "dir.output",
        .flags = {"--output"},
    },
    {
        .name = "hexo",
        .dependencies = {"hexo"},
        .tools = {"hexo generate"},
        .scripts = {"build", "generate"},
        .output = "public",
    },
    {
        .name = "ember",
        .dependencies = {"ember-cli"},
        .configs = {"ember-cli-build.*"},
        .tools = {"ember build"},
        .output = "dist",
        .flags = {"--output-path", "-o"},
    },
    {
        .name = "rsbuild",
        .dependencies = {"@rsbuild/core"},
        .configs = {"rsbuild.config.*"},
        .tools = {"rsbuild build"},
        .output = "dist",
        .output_key = "distPath.root",
    },
    {
        .name = "vite",
        .dependencies = {"vite"},
        .configs = {"vite.config.*"},
        .tools = {"vite build"},
        .output = "dist",
        .output_key = "build.outDir",
        .root_key = "root",
        .site_argument = true,
        .flags = {"--outDir"},
        .flags_from_site = true,
    },
    {
        .name = "parcel",
        .dependencies = {"parcel", "parcel-bundler"},
        .tools = {"parcel build"},
        .output = "dist",
        .flags = {"--dist-dir"},
    },
    {
        .name = "webpack",
        .dependencies = {"webpack"},
        .configs = {"webpack.config.*"},
        .tools = {"webpack"},
        .output = "dist",
        .output_key = "output.path",
        .flags = {"--output-path", "-o"},
    },
    /* No build at all; recognised by index.html alone. */
    {.name = "static", .output = "."},
};

const struct framework *framework_at(size_t index)
{
    return index < ARRAY_LEN(frameworks) ? &frameworks[index] : NULL;
}

const struct framework *framework_named(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(frameworks); i++)
        if (strcmp(frameworks[i].name, name) == 0)
            return &frameworks[i];
    return NULL;
}

const char *const *detect_framework_names(void)
{
    /* Kept beside the table and held to it by a test, so that it can be constant. */
    static const char *const names[] = {
        "next",    "nuxt2",     "nuxt",     "gatsby",     "react-router",     "remix",   "astro",    "sveltekit",
        "angular", "vitepress", "vuepress", "docusaurus", "create-react-app", "vue-cli", "eleventy", "hexo",
        "ember",   "rsbuild",   "vite",     "parcel",     "webpack",          "static",  NULL,
    };

    return names;
}
