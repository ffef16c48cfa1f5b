FROM a
RUN printf "\033 [31m  cafÃ© ÿþ end"
RUN	tab	 x 
