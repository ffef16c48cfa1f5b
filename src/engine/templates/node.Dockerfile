# Node, for a project without a Dockerfile of its own: docs/images.md says what it promises.
#
# BASE_IMAGE: an image with node, npm, /bin/sh and the user `node`, as the official ones.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS build
WORKDIR /app
ENV PATH=/opt/package-manager/bin:$PATH \
    NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false \
    YARN_NODE_LINKER=node-modules YARN_ENABLE_TELEMETRY=0 \
    CI=true NEXT_TELEMETRY_DISABLED=1

# What the steps below do, for whichever package manager the project has: the one that packageManager names, else the
# lockfile's, else npm.
RUN mkdir -p /opt/package-manager/bin /opt/start && printf '%s\n' \
    '#!/bin/sh' \
    'set -e' \
    '[ ! -f /run/secrets/NPM_TOKEN ] || { NPM_TOKEN=$(cat /run/secrets/NPM_TOKEN); export NPM_TOKEN; }' \
    'field() { node -p "const p = require(\"/app/package.json\"), s = p.scripts || {}; $1 || \"\""; }' \
    'get() { npm install --global --prefix /opt/package-manager --globalconfig "$(npm config get globalconfig)" "$1"; }' \
    'has() { grep -qs "$1" "$2"; }' \
    '[ -f package.json ] || { echo "this template is for projects with a package.json" >&2; exit 1; }' \
    'wish=$(field p.packageManager) name=${wish%%@*} version=' \
    'case $wish in *@*) version=${wish#*@} version=${version%%+*} ;; esac' \
    'if [ -n "$name" ]; then :' \
    'elif [ -f pnpm-lock.yaml ]; then name=pnpm' \
    'elif [ -f yarn.lock ]; then name=yarn' \
    'else name=npm; fi' \
    '[ "$name" != yarn ] || [ ! -f .yarnrc.yml ] || name=berry' \
    '[ "$name" != yarn ] || ! has "^__metadata:" yarn.lock || name=berry' \
    'case $name,$version in yarn,[2-9]*) name=berry ;; esac' \
    'frozen() { if [ -f "$1" ]; then echo "$2"; else echo "$3"; fi; }' \
    '' \
    '# The sources are needed: scripts run, or packages lie among them.' \
    'needs_sources() {' \
    '    [ -n "$(field "p.workspaces || s.preinstall || s.install || s.postinstall || s.prepare")" ] ||' \
    '        has "\"\(file\|link\|portal\|patch\):" package.json || has patchedDependencies package.json ||' \
    '        has "^\(packages\|patchedDependencies\):" pnpm-workspace.yaml || has "^\(yarnPath\|plugins\):" .yarnrc.yml' \
    '}' \
    '' \
    'provide() {' \
    '    case $name in' \
    '    npm) [ -z "$version" ] || [ "$version" = "$(npm --version)" ] || get "npm@$version" ;;' \
    '    pnpm)' \
    '        if [ -n "$version" ]; then :' \
    '        elif has "^lockfileVersion: .\?5" pnpm-lock.yaml; then version=7' \
    '        elif has "^lockfileVersion: .\?6" pnpm-lock.yaml; then version=8' \
    '        elif [ -f pnpm-workspace.yaml ] && ! has ^packages: pnpm-workspace.yaml; then version=10' \
    '        else version=9; fi' \
    '        get "pnpm@$version" ;;' \
    '    berry)' \
    '        [ -n "$version" ] || ! has "^  version: [456]$" yarn.lock || version=3' \
    '        has ^yarnPath: .yarnrc.yml || get "@yarnpkg/cli-dist@${version:-4}" ;;' \
    '    yarn) [ -z "$version" ] && command -v yarn >/dev/null || get "yarn@${version:-1.22.22}" ;;' \
    '    *) echo "this template knows npm, yarn and pnpm; packageManager says $name" >&2; exit 1 ;;' \
    '    esac' \
    '}' \
    '' \
    'install() {' \
    '    provide' \
    '    case $name in' \
    '    npm) if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then npm ci; else npm install; fi ;;' \
    '    yarn) yarn install $(frozen yarn.lock --frozen-lockfile) ;;' \
    '    berry) yarn install $(frozen yarn.lock --immutable --no-immutable) ;;' \
    '    pnpm) pnpm install $(frozen pnpm-lock.yaml --frozen-lockfile --no-frozen-lockfile) ;;' \
    '    esac' \
    '    touch /opt/installed' \
    '}' \
    '' \
    '# Yarn before 4 has no command for it: it installs for manifests that name none, which are put back.' \
    'without_development() {' \
    '    find . -name node_modules -prune -o \( -name package.json -o -name yarn.lock \) -print0 >/opt/manifests' \
    '    tar --null -T /opt/manifests -cf /opt/manifests.tar' \
    '    find . -name node_modules -prune -o -name package.json -exec node -e "const fs = require(\"fs\"),' \
    '        [f] = process.argv.slice(1), p = JSON.parse(fs.readFileSync(f)); delete p.devDependencies;' \
    '        fs.writeFileSync(f, JSON.stringify(p))" {} \;' \
    '    "$@"' \
    '    tar -xf /opt/manifests.tar' \
    '}' \
    '' \
    '# In place, so that what scripts have made in there stays.' \
    'prune() {' \
    '    case $name in' \
    '    npm) npm prune --omit=dev --ignore-scripts ;;' \
    '    yarn) yarn install --production --ignore-scripts --prefer-offline $(frozen yarn.lock --frozen-lockfile) ;;' \
    '    berry)' \
    '        export YARN_ENABLE_SCRIPTS=false' \
    '        case $(yarn --version) in' \
    '        [23].*) without_development yarn install --no-immutable ;;' \
    '        *) yarn workspaces focus --all --production ;;' \
    '        esac' \
    '        rm -rf .yarn/cache .yarn/unplugged ;;' \
    '    pnpm)' \
    '        pnpm prune --prod --ignore-scripts' \
    '        ! has ^packages: pnpm-workspace.yaml ||' \
    '            pnpm install --prod --frozen-lockfile --offline --ignore-scripts ;;' \
    '    esac' \
    '}' \
    '' \
    '# With its pre script, as npm would run it. Without one npm would start server.js.' \
    'write_start() {' \
    '    [ -n "$(field s.start)" ] || [ -f server.js ] ||' \
    '        { echo "package.json has no script \"start\": the image would not know what to run" >&2; exit 1; }' \
    '    field "[s.prestart, s.start || \"node server.js\"].filter(Boolean).join(\" && \")" >/opt/start/command' \
    '    has "\(pnpm\|yarn\)" /opt/start/command || rm -rf /opt/package-manager/*' \
    '}' \
    '' \
    'case $1 in' \
    'early) needs_sources || install ;;' \
    'late)' \
    '    rm -f .pnp.cjs .pnp.loader.mjs # packages are in node_modules here' \
    '    [ -f /opt/installed ] || install' \
    '    [ -z "$(field s.build)" ] || case $name in berry) yarn run build ;; *) "$name" run build ;; esac' \
    '    prune' \
    '    write_start ;;' \
    'esac' \
    >/usr/local/bin/template && chmod 755 /usr/local/bin/template

# The start script is the container's, without npm before it: as PID 1 this passes on signals, which a program there
# would not get unless it asked for them, and ends as the script does.
RUN printf '%s\n' \
    '#!/bin/sh' \
    'sh -c "$(cat /opt/start/command)" &' \
    'child=$!' \
    'trap "kill -TERM $child" TERM INT' \
    'while :; do' \
    '    wait "$child"' \
    '    status=$?' \
    '    kill -0 "$child" 2>/dev/null || exit "$status"' \
    'done' \
    >/opt/start/run && chmod 755 /opt/start/run

# Dependencies first: as long as these files stay as they are, a cached layer serves.
COPY package.json package-lock.json* npm-shrinkwrap.json* yarn.lock* pnpm-lock.yaml* pnpm-workspace.yaml* \
    .npmrc* .yarnrc* .pnpmfile.cjs* ./
RUN --mount=type=secret,id=NPM_TOKEN template early
COPY . .
RUN --mount=type=secret,id=NPM_TOKEN template late

FROM ${BASE_IMAGE}
ENV NODE_ENV=production PORT=3000 PATH=/app/node_modules/.bin:/opt/package-manager/bin:$PATH
COPY --from=build /opt/start /opt/start
COPY --from=build /opt/package-manager /opt/package-manager
COPY --from=build --chown=node:node /app /app
WORKDIR /app
USER node
EXPOSE 3000
CMD ["/opt/start/run"]
