# The gateway as an image of its binary and what that needs: no shell, no package manager, no root.
#
#   docker build --build-arg TOLLGATE_COMMIT=$(git rev-parse --short=7 HEAD) -t tollgate .
#   docker run -p 8080:8080 -v ./config:/etc/tollgate:ro -v tollgate:/var/lib/tollgate -e AWS_REGION ... tollgate
#
# The steps are scripts that run without an engine as well; deploy/check-image tries what they make.

# The compiler of deploy/profile/compiler: another would leave the profile out.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build

# The dependencies are a layer of their own, made anew only when the manifest, the lock file, the script or the profile changes.
COPY Cargo.toml Cargo.lock ./
COPY deploy/build-image-binary deploy/
COPY deploy/profile deploy/profile
RUN deploy/build-image-binary dependencies

COPY build.rs ./
COPY config config
COPY src src
COPY deploy/image-root deploy/
# The checkout's .git stays outside: whoever builds says which commit it is.
ARG TOLLGATE_COMMIT=unknown
RUN binary=$(deploy/build-image-binary program) && deploy/image-root "$binary" /image

# From nothing rather than from a slim or distroless base: Debian's alone is over the 40 MB that the whole image is
# to stay below, and each file of this one is listed in deploy/image-root. A rebuild takes up the build stage's fixes
# of glibc and of the CA certificates.
FROM scratch
COPY --from=build /image /
# Where the ledger is: of what the container writes, the only thing that must outlive it.
COPY --from=build --chown=65532:65532 /image/var/lib/tollgate /var/lib/tollgate
VOLUME /var/lib/tollgate
USER 65532:65532
ENV TOLLGATE_CONFIG=/etc/tollgate/tollgate.toml \
    TOLLGATE__LISTEN__DATA=0.0.0.0:8080 \
    TOLLGATE__LEDGER__JOURNAL=/var/lib/tollgate/journal \
    TOLLGATE__LEDGER__STORE=sqlite:/var/lib/tollgate/ledger.db
# The admin plane stays on the container's loopback: a scraper runs in the same pod or network namespace, or
# listen.admin_token_file lets it be bound elsewhere.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/local/bin/tollgate", "healthcheck"]
# Calls in flight have half a minute (listen.shutdown_grace): stop the container with a longer timeout than that.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["serve"]
