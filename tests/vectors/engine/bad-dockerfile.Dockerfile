FROM localhost:5055/debian:12
RUNN echo x
